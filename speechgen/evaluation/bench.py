"""How fast: seconds of audio per second of compute, ours and others in one run, so that the ratios mean something."""

import statistics
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
from speechgen.models.load import load, shipped
from speechgen.nn.packed import Precision
from speechgen.tokenizers.codec import Codec, build_codec
from speechgen.tokenizers.presets import PRESETS

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


@dataclass(frozen=True)
class Candidate:
    """A codec to time. ``make`` builds it only when its turn comes, so that one is in memory at a time."""

    name: str
    ours: bool
    make: Callable[[], nn.Module]
    precision: Precision = "f32"


def codec_candidates(precisions: Iterable[Precision] = ("f32",)) -> list[Candidate]:
    """Our presets, with their weights where they came with the package, in each precision that they have, and the
    published sizes of transformers' codecs with random weights: speed needs no others."""
    ours = [
        Candidate(name, True, lambda name=name, precision=precision: _our_codec(name, precision), precision)
        for name, preset in PRESETS.items()
        for precision in precisions
        if precision == "f32" or preset.encoder.kind == "spectral"
    ]
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
                        about = {"name": candidate.name, "ours": candidate.ours, "precision": candidate.precision}
                        about |= {"threads": count, "batch": batch}
                        rows.append({**about, "way": way, **_codec_row(codec, run, batch, length, repeats)})
        on_row()
    for row in rows:
        if row["ours"] and row["way"] == "offline":
            row["times"] = {one["name"]: row["x_real_time"] / one["x_real_time"] for one in _others(rows, row)}
    return {"machine": describe_machine(), "seconds": seconds, "rows": rows, "targets": _codec_targets(rows)}


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


def _our_codec(name: str, precision: Precision) -> nn.Module:
    codec = load(name) if name in shipped() else build_codec(PRESETS[name])
    codec.pack(precision)
    return codec


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
            ours = OURS if row["precision"] == "f32" else f"{OURS} in {row['precision']}"
            lines.append(target(f"{ours}: x real time", LEAST_X_REAL_TIME, row["x_real_time"]))
            for other, times in row["times"].items():
                if other in LEAST_RATIOS:
                    lines.append(target(f"{ours}: times {other}", LEAST_RATIOS[other], times))
    return lines


def target(what: str, least: float, measured: float) -> dict:
    return {"what": what, "at_least": least, "measured": measured, "met": measured >= least}
