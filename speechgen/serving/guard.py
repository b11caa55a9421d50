"""Listens to every chunk that was said, and says what is wrong with it, so that it can be said again."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.models.listener import Listener
from speechgen.models.match import Match, match

RETRIES = 2
SILENT_DB = -50.0  # a frame below it, or 35 dB below the loudest, is silence
QUIET_DB = 35.0
FRAME_SECONDS = 0.02


@dataclass(frozen=True)
class Limits:
    """What counts as a fault; measured on the shipped voice, see docs/speaking.md. Scores in nats (``models.match``).

    ``word``, ``without``: of a missing word; ``stretch``: of half a second that is garbled; ``whole``: of a text that
    is another; ``repeat``: of a stretch said twice; ``gap``: silence inside (s); ``shortest``, ``longest``: seconds a
    phoneme at speed 1.
    """

    word: float = -1.9
    without: float = -3.6
    stretch: float = -1.1
    whole: float = -0.65
    repeat: float = 3.2
    gap: float = 0.8
    shortest: float = 0.04
    longest: float = 0.25


@dataclass(frozen=True)
class Verdict:
    """Faults of a chunk as it was said, none when it passed; the higher ``score``, the better it fits its text."""

    reasons: list[str]
    score: float

    @property
    def passed(self) -> bool:
        return not self.reasons

    @property
    def rank(self) -> tuple[int, float]:
        """Of two verdicts the one with the higher rank is on the better try."""
        return -len(self.reasons), self.score


@dataclass(frozen=True)
class Checked:
    """A chunk and what the guard made of it: ``tries`` made, ``reasons`` against the one that was kept (none when it
    passed), ``first_reasons`` against the first one, ``seconds`` of it kept."""

    text: str
    tries: int
    reasons: list[str]
    first_reasons: list[str]
    seconds: float

    @property
    def verdict(self) -> str:
        return "failed" if self.reasons else "passed"

    def __str__(self) -> str:
        tries = f"{self.tries} {'try' if self.tries == 1 else 'tries'}"
        why = "; ".join(self.reasons or self.first_reasons)
        return f"{self.verdict} after {tries}{f' ({why})' if why else ''}: {self.text[:50]!r}"


class Guard:
    """Checks speech at ``sample_rate`` against its phonemes; a chunk with a fault is tried ``retries`` times more.

    Without ``phonemes``, that is for models that read characters, only its length and its silences are checked.
    """

    def __init__(
        self,
        listener: Listener,
        sample_rate: int,
        retries: int = RETRIES,
        phonemes: bool = True,
        limits: Limits = Limits(),
    ):
        self.listener, self.sample_rate, self.retries = listener, sample_rate, retries
        self.phonemes, self.limits = phonemes, limits

    def check(self, wave: Tensor, symbols: list[str], speed: float = 1.0) -> Verdict:
        """What is wrong with (T,) as a saying of these symbols."""
        limits, seconds = self.limits, len(wave) / self.sample_rate
        sounding = _sounding(wave, self.sample_rate)
        if not sounding.any():
            return Verdict(["silent"], -math.inf)
        reasons = []
        each = seconds * speed / len(symbols)
        if not limits.shortest <= each <= limits.longest:
            word = "short" if each < limits.shortest else "long"
            reasons.append(f"too {word}: {seconds:.2f} s for {len(symbols)} symbols")
        if (gap := _longest_gap(sounding)) > limits.gap / speed:
            reasons.append(f"a gap of {gap:.1f} s")
        if not self.phonemes:
            return Verdict(reasons, -each)
        found = match(self.listener, resample(wave, self.sample_rate, self.listener.config.sample_rate), symbols)
        if found is None:
            return Verdict(reasons, -each)
        return Verdict(reasons + _mismatches(found, limits), found.score)


def _mismatches(found: Match, limits: Limits) -> list[str]:
    if not found.words or found.score < limits.whole:
        return ["does not say the text"]
    reasons = []
    missing = [word for word in found.words if word.score < limits.word or word.without < limits.without]
    if missing:
        reasons.append("missing " + ", ".join(f"/{word.phonemes}/" for word in missing[:3]))
    elif found.stretch < limits.stretch:
        reasons.append(f"unclear at {found.stretch_start:.1f} s")
    if found.repeat < limits.repeat:
        first, last = found.repeated
        said = " ".join(word.phonemes for word in found.words[first : last + 1])
        reasons.append(f"extra or repeated beside /{said}/")
    return reasons


def _sounding(wave: Tensor, sample_rate: int) -> Tensor:
    """Which frames of 20 ms of (T,) are no silence."""
    size = round(FRAME_SECONDS * sample_rate)
    if len(wave) < size:
        return torch.zeros(1, dtype=torch.bool)
    frames = wave[: len(wave) // size * size].view(-1, size)
    level = 10 * torch.log10(frames.square().mean(1) + 1e-12)
    return level > max(SILENT_DB, float(level.max()) - QUIET_DB)


def _longest_gap(sounding: Tensor) -> float:
    """Seconds of the longest silence between sounds."""
    places = sounding.nonzero()[:, 0]
    return float(places.diff().sub(1).max()) * FRAME_SECONDS if len(places) > 1 else 0.0
