"""From a recording to a prompt: checked, resampled, trimmed and made as loud as every other one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.checks import Fault, inspect_wave, prompt_faults, read_inspected
from speechgen.audio.files import read_audio_info
from speechgen.audio.loudness import match_loudness
from speechgen.audio.resample import resample
from speechgen.errors import UserError

LOUDNESS = -23.0  # LUFS
FRAME_SECONDS = 0.02
SILENCE_DB = 40.0  # a frame this much below the loudest one is silence
MARGIN_SECONDS = 0.1  # of silence kept at either end
LONGEST_READ = 301.0  # seconds; prompt_faults refuses what is longer than 300


@dataclass(frozen=True)
class Prompt:
    """``wave`` (T,) at ``sample_rate`` (Hz), and what is not ideal about the recording, in sentences."""

    wave: Tensor
    sample_rate: int
    warnings: list[str]


def read_prompt(source: str | Path | tuple[Tensor, int], sample_rate: int, name: str | None = None) -> Prompt:
    """A prompt at ``sample_rate`` (Hz) from a file, or from (wave (T,), its rate); ``name`` is what messages call it.

    Raises UserError, naming the way out, for a recording that cannot serve: unreadable, silent, too short, clipped
    beyond repair, ...
    """
    if isinstance(source, tuple):
        wave, rate = source
        name = name or "prompt"
        faults = prompt_faults(inspect_wave(wave, rate, name), sample_rate)
    else:
        name = name or str(source)
        try:
            wave, rate, faults = _read(source, sample_rate)
        except UserError as error:  # it names the file, which may be a temporary one
            raise UserError(str(error).replace(str(source), name)) from None
    for fault in faults:
        if fault.fatal:
            raise UserError(f"{name}: {fault.sentence}")
    wave = trim_silence(resample(wave.clamp(-1, 1), rate, sample_rate), sample_rate)
    return Prompt(match_loudness(wave, sample_rate, LOUDNESS), sample_rate, [f"{name}: {f.sentence}" for f in faults])


def trim_silence(wave: Tensor, sample_rate: int) -> Tensor:
    """A wave (T,) without the silence before and after the sound, but for 0.1 s at either end."""
    start, end = sounding(wave, sample_rate)
    return wave[start:end]


def sounding(wave: Tensor, sample_rate: int) -> tuple[int, int]:
    """Between which samples of a wave (T,) there is sound, with 0.1 s of silence at either end; all of a silent one."""
    levels = _levels(wave, sample_rate)
    loud = np.flatnonzero(levels > levels.max(initial=-np.inf) - SILENCE_DB)
    if not len(loud):
        return 0, len(wave)
    frame, margin = round(FRAME_SECONDS * sample_rate), round(MARGIN_SECONDS * sample_rate)
    return max(0, int(loud[0]) * frame - margin), min(len(wave), (int(loud[-1]) + 1) * frame + margin)


def pause_before(wave: Tensor, sample_rate: int, shortest: float, longest: float) -> float:
    """Where to cut a wave (T,): the quietest moment between ``shortest`` and ``longest`` seconds, or its end."""
    if len(wave) <= longest * sample_rate:
        return len(wave) / sample_rate
    levels = np.convolve(_levels(wave, sample_rate), np.ones(5) / 5, mode="same")
    first, last = round(shortest / FRAME_SECONDS), round(longest / FRAME_SECONDS)
    return (first + int(levels[first:last].argmin())) * FRAME_SECONDS


def _read(path: str | Path, sample_rate: int) -> tuple[Tensor, int, list[Fault]]:
    stated = read_audio_info(path).seconds
    facts, samples = read_inspected(path, end=LONGEST_READ if stated > LONGEST_READ else None)
    return torch.from_numpy(samples), facts.sample_rate, prompt_faults(facts, sample_rate)


def _levels(wave: Tensor, sample_rate: int) -> np.ndarray:
    """Level of each 20 ms frame, in dB."""
    frame = round(FRAME_SECONDS * sample_rate)
    whole = wave[: len(wave) // frame * frame].view(-1, frame)
    return (10 * (whole.square().mean(1) + 1e-10).log10()).numpy()
