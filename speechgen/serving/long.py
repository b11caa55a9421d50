"""Long text into an audio file, chunk by chunk, so that work which was broken off goes on where it was."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from speechgen.audio.stream import AudioWriter
from speechgen.audio.watermark import Watermarker
from speechgen.errors import UserError
from speechgen.models.lines import Drawing
from speechgen.models.load import fingerprint
from speechgen.models.voice import Voice
from speechgen.orders.speculative import Tally
from speechgen.serving.guard import Guard
from speechgen.serving.session import Levels, Session, Span
from speechgen.serving.synthesiser import Synthesiser

KEY = "made-with"  # the file that tells what the parts in a folder are parts of


@dataclass(frozen=True)
class Reading:
    """What ``read_aloud`` wrote: its length, where each chunk lies, how many chunks had been there already, how fast
    the others were made, what to tell, what a guard had against chunks,
    and the ``tally`` of a draft over the chunks made now, where there was one."""

    seconds: float
    spans: list[Span]
    resumed: int
    x_real_time: float
    warnings: list[str]
    checks: list[str]
    tally: Tally | None = None


def read_aloud(
    synthesiser: Synthesiser,
    text: str,
    out: Path,
    voice: Voice | None = None,
    language: str = "en",
    drawing: Drawing = Drawing(),
    seed: int = 0,
    guard: Guard | None = None,
    watermark: bool = True,
    on_chunk: Callable[[], None] = lambda: None,
) -> Reading:
    """What ``synthesiser.say`` says, into an audio file; finished chunks wait beside it in ``OUT.parts``.

    Called again with the same words, voice, model, drawing and seed it goes on after the last of them. ``on_chunk``
    is called for every chunk, also for those that are there already. Raises what ``say`` and ``AudioWriter`` raise.
    """
    folder = out.with_name(f"{out.name}.parts")
    _prepare(folder, _key(synthesiser, text, voice, language, drawing, seed, guard))
    resumed, levels = 0, None
    while (part := _load(folder, resumed)) is not None:
        levels, resumed = part.levels, resumed + 1
        on_chunk()
    asked = (text, voice, language, drawing, seed, guard)
    session = synthesiser.stream(*asked, watermark=False, first=resumed, levels=levels)
    started = time.perf_counter()
    made = _say_the_rest(session, folder, resumed, synthesiser.sample_rate, on_chunk)
    speed = made / (time.perf_counter() - started)
    spans, checks, warnings, total = [], [], dict.fromkeys(session.warnings), 0
    rate = synthesiser.sample_rate
    watermarker = Watermarker(rate)
    with AudioWriter(out, rate, 1) as file:
        number = 0
        while (part := _load(folder, number)) is not None:
            start, total, number = total + part.pause, total + len(part.wave), number + 1
            spans.append(Span(part.text, start / rate, total / rate))
            checks += part.checks
            warnings |= dict.fromkeys(part.warnings)
            file.write((watermarker(part.wave) if watermark else part.wave)[None])
        if watermark:
            file.write(watermarker.end()[None])
    shutil.rmtree(folder)
    tally = None if synthesiser.draft is None else session.tally
    return Reading(total / rate, spans, resumed, speed, list(warnings), checks, tally)


@dataclass(frozen=True)
class _Part:
    """A chunk as it was said, with the ``pause`` (samples) before it, and the loudness that the next starts from."""

    wave: Tensor
    pause: int
    text: str
    levels: Levels
    warnings: list[str]
    checks: list[str]


def _say_the_rest(session: Session, folder: Path, first: int, rate: int, on_chunk: Callable[[], None]) -> float:
    """Save each chunk that the session says as a part; returns the seconds said."""
    blocks: list[Tensor] = []
    samples = 0

    def save() -> None:
        nonlocal samples
        span, wave = session.spans[-1], torch.cat(blocks)
        pause = len(wave) - round((span.end - span.start) * rate)
        checks = [str(check) for check in session.checks[-1:] if check.tries > 1 or check.reasons]
        part = _Part(wave, pause, span.text, session.levels, session.warnings, checks)
        _save(folder, first + len(session.spans) - 1, part)
        samples += len(part.wave)
        blocks.clear()
        on_chunk()

    session.on_chunk = save
    for block in session:
        blocks.append(block)
    return samples / rate


def _key(
    synthesiser: Synthesiser,
    text: str,
    voice: Voice | None,
    language: str,
    drawing: Drawing,
    seed: int,
    guard: Guard | None,
) -> str:
    """A fingerprint of all that the sound depends on."""
    digest = hashlib.sha256()
    models = [fingerprint(synthesiser.tts), fingerprint(synthesiser.codec)]
    asked = [text, language, asdict(drawing), seed, guard and guard.retries, models, synthesiser.precision]
    digest.update(json.dumps(asked).encode())
    if voice is not None:
        digest.update(voice.digest())
    return digest.hexdigest()


def _prepare(folder: Path, key: str) -> None:
    """A folder for the parts of what ``key`` stands for, with those that are there, and without any others."""
    mark = folder / KEY
    if folder.exists() and not mark.is_file() and any(folder.iterdir()):
        raise UserError(f"{folder}: is in the way: finished chunks would lie there, and it holds something else")
    if mark.is_file() and mark.read_text(encoding="utf-8") != key:  # of other words, or another voice
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    mark.write_text(key, encoding="utf-8")


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.safetensors"


def _save(folder: Path, number: int, part: _Part) -> None:
    told = {name: json.dumps(value) for name, value in vars(part).items() if name != "wave"}
    partial = folder / "partial"
    safetensors.torch.save_file({"wave": part.wave}, partial, metadata=told)
    partial.replace(_path(folder, number))


def _load(folder: Path, number: int) -> _Part | None:
    """A finished part, or None where there is none yet."""
    if not _path(folder, number).is_file():
        return None
    with safetensors.safe_open(_path(folder, number), "pt") as file:
        told = {name: json.loads(value) for name, value in file.metadata().items()}
        return _Part(file.get_tensor("wave"), **told | {"levels": tuple(told["levels"])})
