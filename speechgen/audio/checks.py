"""What a recording is like, and what is wrong with it, in sentences that say the way out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from speechgen.audio.containers import cut_short, usual_extensions
from speechgen.audio.files import AudioError, AudioInfo, opened_audio, reason_of

BLOCK = 1 << 18  # samples read at once, so that hours of audio fit in memory
FRAME_SECONDS = 0.02
ACTIVE_DB = -50.0  # a 20 ms frame above this level (dBFS) counts as sound


@dataclass(frozen=True)
class AudioFacts:
    """Measurements of a recording; levels are of its mono mix, where 1.0 is full scale (0 dBFS)."""

    path: Path
    format: str  # container, as libsndfile names it: WAV, FLAC, OGG, ...
    encoding: str  # PCM_16, FLOAT, OPUS, ...
    sample_rate: int  # Hz
    channels: int
    seconds: float
    active_seconds: float  # duration of the 20 ms frames that are louder than -50 dBFS
    peak: float
    level: float  # root mean square, dBFS
    offset: float  # mean of the samples (DC)
    clipped: float  # share of samples at the limit
    finite: bool  # no NaN and no infinite sample
    cut_short: str  # why the file is believed to be incomplete, or empty


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a recording. A fatal one makes it useless; another is only told."""

    kind: str
    sentence: str
    fatal: bool


@dataclass(frozen=True)
class Limits:
    """What a recording of a corpus may be like."""

    min_seconds: float = 0.1
    max_seconds: float = 120.0
    min_rate: int = 4000  # Hz
    max_rate: int = 384000  # Hz


def inspect_audio(path: str | Path, start: float = 0.0, end: float | None = None) -> AudioFacts:
    """Read a whole recording, or the stretch from ``start`` to ``end`` (seconds), and measure it.

    Raises AudioError when it cannot be decoded at all, or holds no samples.
    """
    return _measure(path, start, end, lambda block: None)


def read_inspected(path: str | Path, start: float = 0.0, end: float | None = None) -> tuple[AudioFacts, np.ndarray]:
    """As ``inspect_audio``, with the mono samples (T,) float32 of the same reading."""
    blocks: list[np.ndarray] = []
    facts = _measure(path, start, end, lambda block: blocks.append(block.mean(axis=1)))
    return facts, np.concatenate(blocks)


def inspect_wave(wave: Tensor, sample_rate: int, name: str = "wave") -> AudioFacts:
    """Measure audio in memory, float (T,), as ``inspect_audio`` measures a file called ``name``."""
    info = AudioInfo(Path(name), sample_rate, 1, len(wave), "memory", "FLOAT")
    meter = _Meter(sample_rate)
    for block in wave.detach().cpu().float().split(BLOCK) if len(wave) else ():
        meter.add(block[:, None].numpy())
    if not meter.samples:
        raise AudioError(f"{name}: holds no samples; record or export it again")
    return meter.facts(info, "")


def recording_faults(facts: AudioFacts, limits: Limits = Limits(), sample_rate: int | None = None) -> list[Fault]:
    """Faults of a recording meant for training, fatal ones first; ``sample_rate`` (Hz) is the one wanted."""
    return _fatal_first(_recording_faults(facts, limits, sample_rate))


def prompt_faults(facts: AudioFacts, sample_rate: int = 16000) -> list[Fault]:
    """Faults of a recording meant as a voice prompt, fatal ones first; ``sample_rate`` (Hz) is the model's."""
    return _fatal_first(_prompt_faults(facts, sample_rate))


def _recording_faults(facts: AudioFacts, limits: Limits, sample_rate: int | None) -> Iterator[Fault]:
    if not limits.min_rate <= facts.sample_rate <= limits.max_rate:
        yield Fault("rate", f"its header states {facts.sample_rate} Hz, which is no rate of speech or music", True)
    if facts.cut_short:
        yield Fault("truncated", f"{facts.cut_short}; copy it again", True)
    if facts.seconds < limits.min_seconds:
        yield Fault("short", f"lasts only {facts.seconds:.3f} s; the least is {limits.min_seconds:g} s", True)
    if facts.seconds > limits.max_seconds:
        yield Fault("long", f"lasts {facts.seconds:.0f} s; cut it into parts of at most {limits.max_seconds:g} s", True)
    yield from _signal_faults(facts)
    if sample_rate and facts.sample_rate < sample_rate:
        yield Fault(
            "low rate", f"is sampled at {facts.sample_rate} Hz and lacks what {sample_rate} Hz could hold", False
        )
    if facts.encoding in ("PCM_U8", "PCM_S8"):
        yield Fault("8 bit", "has 8-bit samples, which hiss; use 16 bit if there is a better copy", False)
    suffix = facts.path.suffix.lower()
    if suffix and suffix not in usual_extensions(facts.format):
        yield Fault("extension", f"is named {suffix} but holds {facts.format}; it is read all the same", False)


def _prompt_faults(facts: AudioFacts, sample_rate: int) -> Iterator[Fault]:
    if facts.cut_short:
        yield Fault("truncated", f"{facts.cut_short}; copy it again", False)
    if facts.seconds < 1:
        yield Fault("short", f"lasts only {facts.seconds:.1f} s; record 5 to 15 seconds of clear speech", True)
    elif facts.seconds > 300:
        yield Fault("long", f"lasts {facts.seconds / 60:.0f} minutes; cut out 5 to 15 seconds of clear speech", True)
    elif facts.seconds > 30:
        yield Fault("long", f"lasts {facts.seconds:.0f} s; 5 to 15 seconds of clear speech work better", False)
    yield from _signal_faults(facts)
    silent = facts.peak < 1e-4
    if not silent and facts.finite and facts.active_seconds < 1 <= facts.seconds:
        heard = f"holds only {facts.active_seconds:.1f} s of sound"
        yield Fault("quiet", f"{heard}; record louder, nearer to the microphone", facts.active_seconds < 0.3)
    if facts.sample_rate < sample_rate:
        sentence = (
            f"is sampled at {facts.sample_rate} Hz; the voice will sound dull, record at {sample_rate} Hz or more"
        )
        yield Fault("low rate", sentence, facts.sample_rate < 4000)


def _signal_faults(facts: AudioFacts) -> Iterator[Fault]:
    """What is wrong with the samples themselves, whatever they are for."""
    if not facts.finite:
        yield Fault("not finite", "holds NaN or infinite samples; export it again from the source", True)
        return
    if facts.peak < 1e-4:
        yield Fault("silent", "is silent; record it again and check the microphone", True)
        return
    if facts.level < -60:
        yield Fault("quiet", f"is very quiet ({facts.level:.0f} dBFS); record it louder", False)
    if facts.peak > 8:
        yield Fault(
            "scale", f"has samples up to {facts.peak:.0f} where 1 is full scale; divide and export it again", True
        )
    elif facts.peak > 1.001:
        yield Fault("scale", f"exceeds full scale ({facts.peak:.2f}) and will be clipped; lower its gain", False)
    elif facts.clipped > 0.001:
        sentence = f"is clipped ({facts.clipped:.1%} of the samples are at the limit); record it with less gain"
        yield Fault("clipped", sentence, facts.clipped > 0.2)
    if abs(facts.offset) > 0.02:
        yield Fault("offset", f"has a constant offset of {facts.offset:+.2f}; remove it with a high-pass filter", False)
    if facts.channels > 1:
        what = "is stereo" if facts.channels == 2 else f"has {facts.channels} channels"
        yield Fault("channels", f"{what}; the channels are averaged into one", False)


def _fatal_first(faults: Iterator[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: not fault.fatal)


def _measure(path: str | Path, start: float, end: float | None, take: Callable[[np.ndarray], None]) -> AudioFacts:
    """Read block by block, hand each (samples, channels) float32 over, and measure."""
    with opened_audio(path) as file:
        info = AudioInfo(Path(path), file.samplerate, file.channels, file.frames, file.format, file.subtype)
        meter = _Meter(info.sample_rate)
        try:
            if start > 0:
                file.seek(min(round(start * info.sample_rate), info.samples))
            left = info.samples if end is None else round(end * info.sample_rate) - file.tell()
            while left > 0 and len(block := file.read(min(BLOCK, left), dtype="float32", always_2d=True)):
                meter.add(block)
                take(block)
                left -= len(block)
        except (RuntimeError, MemoryError) as error:
            raise AudioError(
                f"{path}: breaks off while decoding ({reason_of(error)}); copy or export it again"
            ) from None
    if not meter.samples:
        raise AudioError(f"{path}: holds no samples; record or export it again")
    return meter.facts(info, cut_short(info, meter.samples) if end is None else "")


class _Meter:
    """Measures audio block by block."""

    def __init__(self, sample_rate: int):
        self.frame = max(1, round(FRAME_SECONDS * sample_rate))
        self.samples = self.clipped = self.active = 0
        self.total = self.square = self.peak = 0.0
        self.finite = True
        self.rest = np.zeros(0, dtype=np.float32)  # squares that do not fill a frame yet

    def add(self, block: np.ndarray) -> None:
        """Take the next (samples, channels) into account."""
        self.samples += len(block)
        loudest = np.abs(block).max(axis=1)
        self.finite &= bool(np.isfinite(loudest).all())
        if not self.finite:
            return
        mono = block.mean(axis=1)
        squares = np.square(mono)
        self.peak = max(self.peak, float(loudest.max()))
        self.total += float(mono.sum(dtype=np.float64))
        self.square += float(squares.sum(dtype=np.float64))
        # At the limit: full scale, or a value near it that repeats (a flat top).
        repeats = np.zeros(len(block), dtype=bool)
        repeats[1:] = (block[1:] == block[:-1]).any(axis=1)
        self.clipped += int(((loudest >= 0.9999) | ((loudest >= 0.98) & repeats)).sum())
        squares = np.concatenate([self.rest, squares])
        whole = len(squares) // self.frame * self.frame
        self.rest = squares[whole:]
        levels = squares[:whole].reshape(-1, self.frame).mean(axis=1)
        self.active += int((levels > 10 ** (ACTIVE_DB / 10)).sum())

    def facts(self, info: AudioInfo, cut_short: str) -> AudioFacts:
        """The measurements so far."""
        square = max(self.square / self.samples, 1e-20)
        return AudioFacts(
            path=info.path,
            format=info.format,
            encoding=info.encoding,
            sample_rate=info.sample_rate,
            channels=info.channels,
            seconds=self.samples / info.sample_rate,
            active_seconds=self.active * FRAME_SECONDS,
            peak=self.peak,
            level=10 * float(np.log10(square)),
            offset=self.total / self.samples,
            clipped=self.clipped / self.samples,
            finite=self.finite,
            cut_short=cut_short,
        )
