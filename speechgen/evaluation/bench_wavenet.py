"""How fast a WaveNet generates, each way in one run on one core, and how far its numbers are from PyTorch's."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from speechgen.evaluation.bench import use_threads
from speechgen.evaluation.machine import describe_machine
from speechgen.kernels.build import available, levels
from speechgen.kernels.choice import COMPILED, fastest
from speechgen.kernels.layout import pack
from speechgen.kernels.limits import compute_limit, memory_limit
from speechgen.kernels.precision import quantise
from speechgen.models.wavenet import WaveNet, WaveNetConfig, build_wavenet
from speechgen.models.wavenet_generate import bits_per_sample, condition_of, generate, make_engine

LOW_PRECISION = ("compiled-bf16", "compiled-int8")
CHECKED_SAMPLES = 2000
# What the run should show, by row and number of streams: at least so many times real time.
LEAST = {("compiled-f32-numba", 1): 1.2, ("compiled-f32", 1): 1.5}
LEAST_LOW_PRECISION, LEAST_FOUR_STREAMS, LEAST_AGAINST_NAIVE = 2.8, 4.0, 1000.0
MOST_LOGIT_DIFFERENCE, MOST_BITS_LOST, MOST_FIRST_USE = 1e-4, 0.01, 20.0
FIRST_USE = """
import json, sys, time
began = time.perf_counter()
import torch
from speechgen.evaluation.bench_wavenet import random_wavenet
from speechgen.models.wavenet_generate import generate
torch.set_num_threads(1)
model = random_wavenet()
imported = time.perf_counter()
next(generate(model, 1600, method=sys.argv[1], chunk=160))
print(json.dumps({"total": time.perf_counter() - began, "kernel": time.perf_counter() - imported}))
"""


@dataclass(frozen=True)
class Told:
    """What the model is told while it is timed, and the recordings (streams, samples) its prediction is judged on."""

    labels: dict | None = None
    mel: Tensor | None = None
    wave: Tensor | None = None


def random_wavenet(config: WaveNetConfig | None = None) -> WaveNet:
    """A WaveNet of the published size with random weights; its logits spread about as far as those of a trained one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_wavenet(config or WaveNetConfig()).eval().requires_grad_(False)
    for weight in model.head.parameters():
        weight *= 8
    return model


def bench_wavenet(
    model: WaveNet,
    name: str = "random weights",
    told: Told | None = None,
    seconds: float = 1.0,
    repeats: int = 3,
    streams: tuple[int, ...] = (1, 4),
    first_use: bool = True,
    on_row: Callable[[], None] = lambda: None,
) -> dict:
    """Time each way of generating; the median run of ``seconds`` of sound counts (fewer samples of the slow ways).

    Returns ``{"machine", "core", "model", "multiply_adds", "fastest", "first_use_seconds", "rows", "targets"}``. A row
    holds ``name, streams, samples_per_second, x_real_time, cpu_x_real_time, max_logit_diff`` and for compiled ones
    ``weight_bytes, compute_share, memory_share`` (of what the products alone reach) and ``bits_per_sample``, on the
    recording told, or else on the model's own sound.
    """
    told = told or Told(*_any_condition(model))
    methods = ["naive", "cached", *(COMPILED if available() else COMPILED[:1])]
    plan = [(method, count) for method in methods for count in streams if method != "naive" or count == 1]
    with one_core() as core, use_threads(1):
        judged = told.wave if told.wave is not None else _own_sound(model, told)
        rows = []
        for method, count in plan:
            rows.append(_row(model, told, judged, method, count, seconds, repeats))
            on_row()
        starts = {}
        if first_use:
            for method in dict.fromkeys(["compiled-f32-numba", fastest()]):
                starts[method] = first_use_seconds(method)
                on_row()
    weights = pack(model.input, model.stack, model.hidden, model.head)
    facts = {"machine": describe_machine(), "core": core, "instructions": levels()[0], "model": name}
    facts |= {"multiply_adds": weights.multiply_adds, "fastest": fastest(), "first_use_seconds": starts}
    facts["bits_on"] = "the recording" if told.wave is not None else "the model's own sound"
    return {**facts, "rows": rows, "targets": _targets(rows, starts)}


def bench_steps(streams: tuple[int, ...] = (1, 4)) -> int:
    """How many times ``on_row`` is called."""
    methods = 1 + len(COMPILED if available() else COMPILED[:1])
    return 1 + methods * len(streams) + len({"compiled-f32-numba", fastest()})


def first_use_seconds(method: str) -> dict[str, dict[str, float]]:
    """Seconds until a fresh process has its first sound, with an empty cache and then with a warm one.

    ``total`` includes importing PyTorch; ``kernel`` begins with the call.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "SPEECHGEN_CACHE": folder, "NUMBA_CACHE_DIR": folder}
        runs = {}
        for cache in ("empty", "warm"):
            command = [sys.executable, "-c", FIRST_USE, method]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            runs[cache] = json.loads(done.stdout)
    return runs


@contextmanager
def one_core() -> Iterator[int | None]:
    """Stay on one core of those allowed, where the system can pin a process; gives its number."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


def _row(model: WaveNet, told: Told, judged: Tensor, method: str, streams: int, seconds: float, repeats: int) -> dict:
    rate = model.config.sample_rate
    samples = {"naive": 3, "cached": 200}.get(method, round(seconds * rate))
    needed = max(samples, CHECKED_SAMPLES)
    condition = _held(condition_of(model, told.labels, told.mel, streams, needed), model, needed)
    engine = make_engine(model, condition, streams, method)
    if method == "naive":  # it is slow once there is a past to compute again
        engine.codes = torch.full((streams, model.receptive_field), model.tokenizer.silence)
    engine.advance(torch.full((streams, 1), 0.5, dtype=torch.float64))  # pays for memory and kernels
    generator, runs, cpu_runs = torch.Generator().manual_seed(0), [], []
    for _ in range(repeats):
        uniforms = torch.rand(streams, samples, generator=generator, dtype=torch.float64)
        began, began_cpu = time.perf_counter(), time.thread_time()
        engine.advance(uniforms)
        runs.append(streams * samples / (time.perf_counter() - began))
        cpu_runs.append(streams * samples / (time.thread_time() - began_cpu))
    speed = statistics.median(runs)
    row = {"name": method, "streams": streams, "samples_per_second": speed, "x_real_time": speed / rate}
    row["cpu_x_real_time"] = statistics.median(cpu_runs) / rate  # the same unless others use this core, too
    row["max_logit_diff"] = _logit_difference(model, condition, method, streams)
    if method in COMPILED:
        weights = pack(model.input, model.stack, model.hidden, model.head)
        precision = "f32" if "f32" in method else method.removeprefix("compiled-")
        row["weight_bytes"] = quantise(weights, precision).nbytes
        if available():
            steps = speed / min(streams, 4)  # of a group that shares each load of a weight
            row["compute_share"] = speed * weights.multiply_adds / compute_limit(precision)
            row["memory_share"] = steps * row["weight_bytes"] / memory_limit(precision, weights.multiply_adds)
        if streams == 1:
            mel = model.mel_of(judged) if model.config.mel else None
            row["bits_per_sample"] = bits_per_sample(model, judged, told.labels, mel, method)
    return row


@torch.no_grad()
def _logit_difference(model: WaveNet, condition: Tensor | None, method: str, streams: int) -> float:
    """The largest difference of the head's parameters from PyTorch's, over random codes."""
    samples = 5 if method == "naive" else 200 if method == "cached" else CHECKED_SAMPLES
    codes = torch.randint(model.config.classes, (streams, samples), generator=torch.Generator().manual_seed(1))
    reference = model.head.logits(model(codes, condition))[:, :, 0]
    found = make_engine(model, condition, streams, method).force(codes)
    return (found - reference).abs().max().item()


def _held(condition: Tensor | None, model: WaveNet, samples: int) -> Tensor | None:
    """The condition, repeated until it is long enough: how long it lasts does not matter to speed."""
    if condition is None or condition.shape[-1] == 1:
        return condition
    frames = 5 * (samples // model.condition.hold + 2)
    return condition.repeat(1, 1, -(-frames // condition.shape[-1]))[..., :frames]


def _any_condition(model: WaveNet) -> tuple[dict | None, Tensor | None]:
    """The first name of every label, and the mel of noise: the work is the same."""
    labels = {kind: names[0] for kind, names in model.config.labels.items()} or None
    if model.config.mel is None:
        return labels, None
    noise = 0.05 * torch.randn(1, 2 * model.config.sample_rate, generator=torch.Generator().manual_seed(0))
    return labels, model.mel_of(noise)[0]


def _own_sound(model: WaveNet, told: Told) -> Tensor:
    samples = model.config.sample_rate
    if told.mel is not None:
        samples = min(samples, told.mel.shape[-1] * model.condition.hold)
    method = "compiled-f32" if available() else "compiled-f32-numba"
    return torch.cat(list(generate(model, samples, told.labels, told.mel, method=method)), dim=1)


def _targets(rows: list[dict], starts: dict) -> list[dict]:
    found = {(row["name"], row["streams"]): row for row in rows}
    lines = []

    def add(what: str, limit: float, measured: float, at_most: bool = False) -> None:
        met = measured <= limit if at_most else measured >= limit
        lines.append({"what": what, "at_most" if at_most else "at_least": limit, "measured": measured, "met": met})

    for (method, streams), least in LEAST.items():
        if row := found.get((method, streams)):
            add(f"{method}: x real time", least, row["x_real_time"])
            add(f"{method}: largest difference of logits", MOST_LOGIT_DIFFERENCE, row["max_logit_diff"], at_most=True)
    exact = found.get(("compiled-f32", 1))
    if exact and (good := [row for row in rows if row["name"] in LOW_PRECISION and _as_good(row, exact)]):
        best = max(good, key=lambda row: row["x_real_time"])
        lost = best["bits_per_sample"] / exact["bits_per_sample"] - 1
        add(f"{best['name']}: x real time", LEAST_LOW_PRECISION, best["x_real_time"])
        add(f"{best['name']}: share of bits per sample lost", MOST_BITS_LOST, lost, at_most=True)
    compiled = [row for row in rows if row["name"] in COMPILED]
    if four := [row["x_real_time"] for row in compiled if row["streams"] == 4]:
        add("four streams together: x real time", LEAST_FOUR_STREAMS, max(four))
    if ("naive", 1) in found:
        quickest = max(row["x_real_time"] for row in compiled if row["streams"] == 1)
        add("times naive, one stream", LEAST_AGAINST_NAIVE, quickest / found["naive", 1]["x_real_time"])
    for method, seconds in starts.items():
        add(f"{method}: seconds to first sound, empty cache", MOST_FIRST_USE, seconds["empty"]["total"], at_most=True)
    return lines


def _as_good(row: dict, exact: dict) -> bool:
    return "bits_per_sample" in row and row["bits_per_sample"] <= (1 + MOST_BITS_LOST) * exact["bits_per_sample"]
