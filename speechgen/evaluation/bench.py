"""How fast: seconds of audio per second of compute, ours and others in one run, so that the ratios mean something."""

import statistics
import string
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from speechgen.evaluation.coding import NeuralCodec
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.pretrained import PretrainedCodec
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.models.load import load, shipped
from speechgen.models.speak import Drawing
from speechgen.models.tts import TokenTTS, TTSConfig
from speechgen.models.voice import Voice
from speechgen.serving.synthesiser import Synthesiser
from speechgen.tokenizers.codec import Codec, build_codec
from speechgen.tokenizers.presets import PRESETS, preset

OURS = "speech-16k"  # the preset that the targets are about
KBPS = 3.0
LEAST_X_REAL_TIME = 100.0
LEAST_RATIOS = {"EnCodec-24k": 15.0, "Mimi": 25.0, "DAC-16k": 90.0}
THREADS = (1, 2)
BATCHES = (1, 16)
BATCH_SHARE = 4  # recordings of a batch are so many times shorter than one alone, or the slowest would take minutes
CHUNK_SECONDS = 0.08  # of a stream, and at least one frame
PATIENCE = 2.0  # seconds of timing after which a codec is not run again; a first run as long as this counts itself
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
    seconds: float = 4.0,
    repeats: int = 5,
    threads: Iterable[int] = THREADS,
    batches: Iterable[int] = BATCHES,
    on_row: Callable[[], None] = lambda: None,
) -> dict:
    """Time encoding and decoding of noise by each codec at about 3 kbit/s: with so many threads, so many recordings at
    once, offline and, for ours, streamed (transformers' have no state to pass on). The median run counts.

    Returns ``{"machine", "seconds", "rows", "targets"}``; x real time counts the seconds of all recordings. An offline
    row of ours holds under ``times`` how many times as fast it is as each of the others under the same conditions.
    """
    rows = []
    threads, batches = list(threads), list(batches)
    for candidate in candidates:
        codec: NeuralCodec = candidate.make().eval()
        ways = {"offline": _offline, **({"streamed": _streamed} if isinstance(codec, Codec) else {})}
        for count in threads:
            with use_threads(count):
                for batch in batches:
                    length = seconds if batch == 1 else seconds / BATCH_SHARE
                    for way, run in ways.items():
                        about = {"name": candidate.name, "ours": candidate.ours, "threads": count, "batch": batch}
                        rows.append({**about, "way": way, **_codec_row(codec, run, batch, length, repeats)})
        on_row()
    for row in rows:
        if row["ours"] and row["way"] == "offline":
            row["times"] = {one["name"]: row["x_real_time"] / one["x_real_time"] for one in _others(rows, row)}
    return {"machine": describe_machine(), "seconds": seconds, "rows": rows, "targets": _codec_targets(rows)}


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
def _codec_row(codec: NeuralCodec, run: Callable, batch: int, seconds: float, repeats: int) -> dict:
    wave = 0.1 * torch.randn(batch, 1, round(seconds * codec.sample_rate), generator=torch.Generator().manual_seed(0))
    codebooks = max(1, min(codec.codebooks, round(KBPS / codec.kbps(1))))
    first = run(codec, wave, codebooks)  # pays for memory and kernels
    times = [first] if sum(first) >= PATIENCE else []
    while not times or (len(times) < repeats and sum(map(sum, times)) < PATIENCE):
        times.append(run(codec, wave, codebooks))
    heard = batch * seconds
    return {
        "params": count_parameters(codec),
        "sample_rate": codec.sample_rate,
        "kbps": codec.kbps(codebooks),
        "runs": len(times),
        "x_real_time": heard / statistics.median(encoding + decoding for encoding, decoding in times),
        "encode_x_real_time": heard / statistics.median(encoding for encoding, _ in times),
        "decode_x_real_time": heard / statistics.median(decoding for _, decoding in times),
    }


def _offline(codec: NeuralCodec, wave: Tensor, codebooks: int) -> tuple[float, float]:
    """Seconds to encode (B, 1, T) at once and to decode it."""
    began = time.perf_counter()
    tokens = codec.encode(wave, codebooks)
    encoded = time.perf_counter()
    codec.decode(tokens)
    return encoded - began, time.perf_counter() - encoded


def _streamed(codec: Codec, wave: Tensor, codebooks: int) -> tuple[float, float]:
    """Seconds to encode (B, 1, T) chunk by chunk as if it were still being spoken, and to decode it likewise."""
    size = max(1, round(CHUNK_SECONDS * codec.frame_rate)) * codec.hop
    chunks = pad(wave, (0, -wave.shape[-1] % size)).split(size, dim=-1)
    began = time.perf_counter()
    state, coded = codec.initial_state(len(wave)), []
    for chunk in chunks:
        tokens, state = codec.encode_step(chunk, state, codebooks)
        coded.append(tokens)
    encoded = time.perf_counter()
    state = codec.initial_state(len(wave))
    for tokens in coded:
        _, state = codec.decode_step(tokens, state)
    return encoded - began, time.perf_counter() - encoded


def _others(rows: list[dict], row: dict) -> list[dict]:
    """The rows of other people's codecs under the same conditions."""
    same = ("threads", "batch", "way")
    return [one for one in rows if not one["ours"] and all(one[key] == row[key] for key in same)]


def _codec_targets(rows: list[dict]) -> list[dict]:
    """What the default preset should reach with all threads on one recording, beside what it did."""
    lines = []
    most = max((row["threads"] for row in rows), default=0)
    for row in rows:
        if (row["name"], row["threads"], row["batch"], row["way"]) == (OURS, most, 1, "offline"):
            lines.append(target(f"{OURS}: x real time", LEAST_X_REAL_TIME, row["x_real_time"]))
            for other, times in row["times"].items():
                if other in LEAST_RATIOS:
                    lines.append(target(f"{OURS}: times {other}", LEAST_RATIOS[other], times))
    return lines


def _speech_targets(rows: list[dict]) -> list[dict]:
    return [
        target(f"{row['name']}: x real time, {row['steps']} steps, guided", SPEECH_X_REAL_TIME, row["x_real_time"])
        for row in rows
        if (row["steps"], row["guidance"] != 1.0) == (Drawing().steps, True)
    ]


def target(what: str, least: float, measured: float) -> dict:
    return {"what": what, "at_least": least, "measured": measured, "met": measured >= least}
