"""How fast: seconds of audio per second of compute, ours and others in one run, so that the ratios mean something."""

import statistics
import string
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from speechgen.evaluation.coding import NeuralCodec
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.pretrained import PretrainedCodec
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.models.load import load, shipped
from speechgen.models.speak import Drawing
from speechgen.models.tts import TokenTTS, TTSConfig
from speechgen.models.voice import Voice
from speechgen.serving.synthesiser import Synthesiser
from speechgen.tokenizers.codec import build_codec
from speechgen.tokenizers.presets import PRESETS, preset

OURS = "speech-16k"  # the preset that the targets are about
KBPS = 3.0
LEAST_X_REAL_TIME = 60.0
LEAST_RATIOS = {"EnCodec-24k": 8.0, "Mimi": 12.0, "DAC-16k": 40.0}
# What the published models change in the defaults of their config classes.
PUBLISHED = {
    "EnCodec-24k": ("encodec", {}),
    "Mimi": ("mimi", {}),
    "DAC-16k": ("dac", {"downsampling_ratios": [2, 4, 5, 8], "n_codebooks": 12}),
}
SPEECH_X_REAL_TIME = 3.0
DRAWINGS = tuple(Drawing(steps, guidance) for guidance in (1.5, 1.0) for steps in (8, 4, 2, 1))
PROMPT_SECONDS = 4.0


@dataclass(frozen=True)
class Candidate:
    """A codec to time. ``make`` builds it only when its turn comes, so that one is in memory at a time."""

    name: str
    ours: bool
    make: Callable[[], nn.Module]


def codec_candidates() -> list[Candidate]:
    """Our presets, with their weights where they came with the package, and the published sizes of transformers'
    codecs with random weights: speed needs no others."""
    ours = [Candidate(name, True, lambda name=name: _our_codec(name)) for name in PRESETS]
    others = [
        Candidate(name, False, lambda kind=kind, values=values: PretrainedCodec.from_config(kind, values))
        for name, (kind, values) in PUBLISHED.items()
    ]
    return ours + others


def bench_codecs(
    candidates: Iterable[Candidate],
    seconds: float = 10.0,
    repeats: int = 5,
    threads: int | None = None,
    on_row: Callable[[], None] = lambda: None,
) -> dict:
    """Time encoding and decoding of so many seconds of noise by each codec at about 3 kbit/s; the median run counts.

    Returns ``{"machine", "threads", "seconds", "rows", "targets"}``; a row of ours holds under ``times`` how many
    times as fast it is as each of the others.
    """
    rows = []
    with use_threads(threads):
        for candidate in candidates:
            codec: NeuralCodec = candidate.make().eval()
            rows.append({"name": candidate.name, "ours": candidate.ours, **_codec_row(codec, seconds, repeats)})
            on_row()
        for row in rows:
            if row["ours"]:
                row["times"] = {other["name"]: row["x_real_time"] / other["x_real_time"] for other in _others(rows)}
        facts = {"machine": describe_machine(), "threads": torch.get_num_threads(), "seconds": seconds}
        return {**facts, "rows": rows, "targets": _codec_targets(rows)}


def bench_speech(
    synthesiser: Synthesiser,
    name: str,
    text: str,
    voice: Voice | None = None,
    drawings: Iterable[Drawing] = DRAWINGS,
    repeats: int = 3,
    threads: int | None = None,
    on_row: Callable[[], None] = lambda: None,
) -> dict:
    """Time a voice saying a text in each way of drawing; the median run counts.

    Returns ``{"machine", "threads", "rows", "targets"}``; ``first_audio`` is in seconds.
    """
    language = "en" if "en" in synthesiser.languages else synthesiser.languages[0]
    params = count_parameters(synthesiser.tts) + count_parameters(synthesiser.codec)
    rows = []
    with use_threads(threads):
        synthesiser.say(text, voice, language, Drawing(steps=1))  # pays for memory and kernels
        for drawing in drawings:
            runs = [synthesiser.say(text, voice, language, drawing) for _ in range(repeats)]
            rows.append(
                {
                    "name": name,
                    "params": params,
                    "steps": drawing.steps,
                    "guidance": drawing.guidance,
                    "seconds": runs[0].seconds,
                    "x_real_time": statistics.median(run.x_real_time for run in runs),
                    "first_audio": statistics.median(run.first_audio for run in runs),
                }
            )
            on_row()
        facts = {"machine": describe_machine(), "threads": torch.get_num_threads()}
        return {**facts, "rows": rows, "targets": _speech_targets(rows)}


def random_synthesiser(config: TTSConfig | None = None) -> Synthesiser:
    """A TTS of the default sizes with random weights over the default codec: noise, but at the speed of speech.

    It reads characters, so that it needs no phonemes.
    """
    symbols = sorted({" ", *string.ascii_lowercase, *"'.,?!"})
    config = config or TTSConfig(text="characters", symbols=symbols, languages=["en"])
    codec = build_codec(preset(OURS))
    unheard = ListenerConfig(phonemes=["", *symbols], characters=["", *symbols], speakers=["nobody"])
    return Synthesiser(TokenTTS(config).eval(), codec.eval(), Listener(unheard).eval())


def random_voice(synthesiser: Synthesiser) -> Voice:
    """Four seconds of random latents in place of a prompt: the work is the same."""
    frames = round(PROMPT_SECONDS * synthesiser.codec.frame_rate)
    latents = torch.randn(frames, synthesiser.codec.config.width, generator=torch.Generator().manual_seed(0))
    unknown = torch.full((frames,), -1)
    return Voice(latents, unknown, synthesiser.languages[0], synthesiser.codec_fingerprint)


def count_parameters(module: nn.Module) -> int:
    """How many numbers a model learned."""
    return sum(parameter.numel() for parameter in module.parameters())


@contextmanager
def use_threads(threads: int | None) -> Iterator[None]:
    """Compute with so many threads while the block runs; None leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _our_codec(name: str) -> nn.Module:
    return load(name) if name in shipped() else build_codec(PRESETS[name])


@torch.inference_mode()
def _codec_row(codec: NeuralCodec, seconds: float, repeats: int) -> dict:
    wave = 0.1 * torch.randn(1, 1, round(seconds * codec.sample_rate), generator=torch.Generator().manual_seed(0))
    codebooks = max(1, min(codec.codebooks, round(KBPS / codec.kbps(1))))
    codec.decode(codec.encode(wave, codebooks))  # the first run pays for memory and kernels
    encoding, decoding = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        tokens = codec.encode(wave, codebooks)
        encoded = time.perf_counter()
        codec.decode(tokens)
        encoding.append(encoded - began)
        decoding.append(time.perf_counter() - encoded)
    both = [a + b for a, b in zip(encoding, decoding, strict=True)]
    return {
        "params": count_parameters(codec),
        "sample_rate": codec.sample_rate,
        "kbps": codec.kbps(codebooks),
        "x_real_time": seconds / statistics.median(both),
        "encode_x_real_time": seconds / statistics.median(encoding),
        "decode_x_real_time": seconds / statistics.median(decoding),
    }


def _others(rows: list[dict]) -> list[dict]:
    return [row for row in rows if not row["ours"]]


def _codec_targets(rows: list[dict]) -> list[dict]:
    """What the default preset should reach, beside what it did."""
    lines = []
    for row in rows:
        if row["name"] == OURS:
            lines.append(_target(f"{OURS}: x real time", LEAST_X_REAL_TIME, row["x_real_time"]))
            for other, times in row["times"].items():
                if other in LEAST_RATIOS:
                    lines.append(_target(f"{OURS}: times {other}", LEAST_RATIOS[other], times))
    return lines


def _speech_targets(rows: list[dict]) -> list[dict]:
    return [
        _target(f"{row['name']}: x real time, {row['steps']} steps, guided", SPEECH_X_REAL_TIME, row["x_real_time"])
        for row in rows
        if (row["steps"], row["guidance"] != 1.0) == (Drawing().steps, True)
    ]


def _target(what: str, least: float, measured: float) -> dict:
    return {"what": what, "at_least": least, "measured": measured, "met": measured >= least}
