"""One text being said: frames are drawn, decoded and handed on as they are made."""

import copy
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from speechgen.audio.watermark import Watermarker
from speechgen.models.draft import speak_with_draft
from speechgen.models.lines import Drawing
from speechgen.models.prompt_state import PromptState
from speechgen.models.speak import begin, speak
from speechgen.models.tts import TokenTTS
from speechgen.models.voice import Voice
from speechgen.orders.speculative import Tally
from speechgen.serving.batcher import Batcher
from speechgen.serving.guard import Checked, Guard, Verdict
from speechgen.serving.levels import Edges, Leveller
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.codec import Codec

PAUSE_SECONDS = 0.1  # between chunks, whose own pauses come on top
MOST_STEPS = 8  # decoded at once; the first ones go alone, so that audio comes early
GUARD_SECONDS = (1.0, 0.3)  # longest chunk: so much, and so much a symbol
STRIDE = 1_000_003  # from the seed of a passage to that of the next: takes count up by one

Levels = tuple[float, float]


@dataclass(frozen=True)
class Passage:
    """A chunk of text and the symbols that spell it; ``rests``: seconds that each symbol lasts at least, and ``rest``
    those of silence after the chunk."""

    text: str
    symbols: list[str]
    rests: list[float] = field(default_factory=list)
    rest: float = 0.0


@dataclass(frozen=True)
class Span:
    """A chunk of text and the seconds between which it is heard."""

    text: str
    start: float
    end: float


class Session:
    """Iterate over it, once, for blocks (n,) of audio; ``spans`` and ``warnings`` grow meanwhile, and ``on_chunk`` is
    called at the end of each chunk.

    Without a guard, audio leaves as frames are made; with one, chunk by chunk, each checked and if need be tried again,
    and ``checks`` grows, too.
    All that changes lies here, so sessions do not disturb one another. The same seed gives the same audio.
    """

    def __init__(
        self,
        tts: TokenTTS,
        codec: Codec,
        passages: list[Passage],
        voice: Voice | None,
        language: str,
        drawing: Drawing,
        seed: int,
        guard: Guard | None = None,
        *,
        batcher: Batcher | None = None,
        draft: TokenTTS | None = None,
        remembered: PromptState | None = None,
        watermark: bool = True,
        first: int = 0,
        levels: Levels | None = None,
    ):
        """``batcher``: draws the frames in steps shared with other sessions. ``draft``: a smaller model that proposes
        codes, of which ``tally`` counts those accepted; not for batches. ``remembered``: of the voice's prompt, by
        ``models.speak.remember``. ``watermark``: marks the audio as
        generated. ``first``: the passage to begin with, and ``levels`` what was left of the loudness before it."""
        self.tts, self.codec, self.passages, self.voice = tts, codec, passages, voice
        self.language, self.drawing = language, drawing
        self.guard, self.draft = guard, draft
        self.tally = Tally()
        self.spans: list[Span] = []
        self.checks: list[Checked] = []
        self.warnings: list[str] = []
        self.on_chunk: Callable[[], None] = lambda: None
        self._seed, self._batcher, self._first, self._remembered = seed, batcher, first, remembered
        self._leveller = Leveller(codec.sample_rate)
        if levels is not None:
            self._leveller.power, self._leveller.gain = levels
        self._samples = 0
        self._blocks = self._marked(self._said()) if watermark else self._said()

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        block = next(self._blocks)
        while not len(block):
            block = next(self._blocks)
        return block

    def close(self) -> None:
        """Stop drawing; what is left of the text stays unsaid."""
        self._blocks.close()

    @property
    def levels(self) -> Levels:
        """Power and gain that the loudness of the next passage starts from."""
        return self._leveller.power, self._leveller.gain

    def _marked(self, blocks: Iterator[Tensor]) -> Iterator[Tensor]:
        watermarker = Watermarker(self.codec.sample_rate)
        for block in blocks:
            yield watermarker(block)
        yield watermarker.end()

    def _said(self) -> Iterator[Tensor]:
        for number, passage in enumerate(self.passages[self._first :], start=self._first):
            if number:
                pause = self._pause_before(number)
                self._samples += len(pause)
                yield pause
            start = self._samples
            # A passage has a seed of its own, so that it can be had again without those before it.
            self._generator = torch.Generator().manual_seed((self._seed + number * STRIDE) % 2**63)
            for block in self._passage(passage) if self.guard is None else self._checked(number, passage):
                self._samples += len(block)
                yield block
            rate = self.codec.sample_rate
            self.spans.append(Span(passage.text, start / rate, self._samples / rate))
            self.on_chunk()

    def _pause_before(self, number: int) -> Tensor:
        rest = self.passages[number - 1].rest / self.drawing.speed
        return torch.zeros(round((PAUSE_SECONDS + rest) * self.codec.sample_rate))

    def _checked(self, number: int, passage: Passage) -> Iterator[Tensor]:
        """The best try at a passage; the first is what it would be without a guard."""
        leveller, warned = copy.copy(self._leveller), len(self.warnings)
        tries: list[_Try] = []
        while not tries or (len(tries) <= self.guard.retries and not tries[-1].verdict.passed):
            self._leveller = copy.copy(leveller)
            if tries:
                self._generator = torch.Generator().manual_seed(retry_seed(self._seed, number, len(tries)))
            blocks = [torch.zeros(0), *self._passage(passage)]
            verdict = self.guard.check(torch.cat(blocks), passage.symbols, self.drawing.speed)
            tries.append(_Try(blocks, verdict, self._leveller, self.warnings[warned:]))
            del self.warnings[warned:]
        kept = max(tries, key=lambda one: one.verdict.rank)
        self._leveller = kept.leveller
        self.warnings += kept.warnings
        seconds = sum(map(len, kept.blocks)) / self.codec.sample_rate
        found, first = kept.verdict.reasons, tries[0].verdict.reasons
        self.checks.append(Checked(passage.text, len(tries), found, first, seconds))
        yield from kept.blocks

    def _passage(self, passage: Passage) -> Iterator[Tensor]:
        edges = Edges(self.codec.sample_rate)
        for wave in decode_stream(self.codec, self._guarded(passage), self.tts.config.unit):
            yield edges(self._leveller(wave[0, 0]))
        yield edges.end()

    def _guarded(self, passage: Passage) -> Iterator[Tensor]:
        """Units (1, patch, C or K), cut where no speech of these symbols can still be going on."""
        fixed, each = GUARD_SECONDS
        longest = (
            (fixed + each * len(passage.symbols) + sum(passage.rests)) / self.drawing.speed * self.codec.frame_rate
        )
        asked = (passage.symbols, self.language, self.voice, self.drawing, self._generator, 1, passage.rests)
        if self._batcher is not None:
            drawn = self._batcher.draw(begin(self.tts, *asked, self._remembered))
        elif self.draft is not None:
            drawn = speak_with_draft(self.tts, self.draft, *asked, tally=self.tally)
        else:
            drawn = speak(self.tts, *asked, self._remembered)
        frames = 0
        for units in drawn:
            frames += units.shape[1]
            if frames > longest:
                self.warnings.append(f"{passage.text[:40]!r} found no end and was cut")
                return
            yield units


@dataclass
class _Try:
    blocks: list[Tensor]
    verdict: Verdict
    leveller: Leveller
    warnings: list[str]


def retry_seed(seed: int, passage: int, tries: int) -> int:
    """A seed for another try at a passage, unlike those of other passages, tries and takes."""
    return zlib.crc32(f"{seed} {passage} {tries}".encode())


@torch.no_grad()
def decode_stream(codec: Codec, units: Iterable[Tensor], kind: str) -> Iterator[Tensor]:
    """Units (B, n, C) latents or (B, n, K) codes, as they come, to waves (B, 1, samples): together what decoding all
    of them at once gives."""
    state = None
    if not codec.streams:
        whole = torch.cat(list(units), dim=1)
        tokens = Tokens(whole.transpose(1, 2), "discrete")
        yield codec.decode_latents(whole) if kind == "latents" else codec.decode(tokens)
        return
    for group in _groups(units):
        state = codec.initial_state(len(group)) if state is None else state
        if kind == "latents":
            wave, state = codec.decode_latents_step(group, state)
        else:
            wave, state = codec.decode_step(Tokens(group.transpose(1, 2), "discrete"), state)
        yield wave


def _groups(units: Iterable[Tensor]) -> Iterator[Tensor]:
    """One step, then two, four, ... at a time: early audio at first, few calls later."""
    waiting, size = [], 1
    for unit in units:
        waiting.append(unit)
        if len(waiting) == size:
            yield torch.cat(waiting, dim=1)
            waiting, size = [], min(2 * size, MOST_STEPS)
    if waiting:
        yield torch.cat(waiting, dim=1)
