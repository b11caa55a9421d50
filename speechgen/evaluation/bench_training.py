"""How fast a codec trains: seconds of audio per second, by the losses that take part, with the loop's own steps."""

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from speechgen.data.shards import Example
from speechgen.evaluation.bench import THREADS, target, use_threads
from speechgen.evaluation.machine import describe_machine
from speechgen.training.experiment import CodecExperiment, build_codec_training, with_initial_sizes
from speechgen.training.loop import Task, train

LEAST_X_REAL_TIME = 15.0
RECORDINGS, RECORDING_SECONDS = 8, 4.0
WARM = 4  # steps that pay for memory and kernels
SURFACE, PERCEPTUAL, ALL = "surface", "surface and perceptual", "all"


class Clocked:
    """A task whose steps are timed: it notes when each batch is asked for."""

    def __init__(self, task: Task):
        self._task, self.began = task, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def batch(self, step: int, rank: int, ranks: int) -> Any:
        self.began.append(time.perf_counter())
        return self._task.batch(step, rank, ranks)


def bench_training(
    config: CodecExperiment,
    steps: int = 8,
    threads: Iterable[int] = THREADS,
    device: str | None = "cpu",
    on_row: Callable[[], None] = lambda: None,
) -> dict:
    """Time the steps of a codec's experiment on noise, with its surface losses alone and with each kind that it adds.

    The model starts from random weights, which take as long as trained ones; discriminators are there from the first
    step. The mean over ``steps`` counts: with ``discriminator_every`` and ``balance_every`` not all are alike. Returns
    ``{"machine", "rows", "targets"}``.
    """
    config = with_initial_sizes(config)
    noise = [_noise(number, config.model.sample_rate) for number in range(RECORDINGS)]
    rows = []
    for count in threads:
        with use_threads(count):
            for losses, variant in loss_variants(config).items():
                seconds = _step_seconds(variant, noise, steps, device)
                heard = config.task.batch * config.task.seconds
                row = {"losses": losses, "threads": count, "seconds_per_step": seconds, "x_real_time": heard / seconds}
                rows.append({**row, "batch": config.task.batch, "seconds": config.task.seconds})
                on_row()
    return {"machine": describe_machine(), "rows": rows, "targets": _targets(rows)}


def loss_variants(config: CodecExperiment) -> dict[str, CodecExperiment]:
    """By the losses that take part: the experiment, with its discriminators in the game from the first step."""
    against = config.task.adversarial.model_copy(update={"start_step": 0, "discriminator_warmup": 0})
    alone = against.model_copy(update={"adversarial": 0.0, "feature_matching": 0.0})
    unheard = config.task.perceptual.model_copy(update={"weight": 0.0})
    variants = {SURFACE: {"adversarial": alone, "perceptual": unheard}}
    if config.task.perceptual.weight:
        variants[PERCEPTUAL] = {"adversarial": alone}
    if against.adversarial or against.feature_matching:
        variants[ALL] = {"adversarial": against}
    return {
        name: config.model_copy(update={"initial": None, "task": config.task.model_copy(update=changes)})
        for name, changes in variants.items()
    }


def _step_seconds(config: CodecExperiment, examples: list[Example], steps: int, device: str | None) -> float:
    task = Clocked(build_codec_training(config, examples, examples[:1]))
    until = WARM + steps + 1  # a step ends where the next one begins
    run = config.training.model_copy(
        update={"steps": until + 1, "log_every": until + 1, "evaluate_every": until + 1, "checkpoint_every": until + 1}
    )
    with tempfile.TemporaryDirectory() as folder:
        train(task, run, Path(folder), device, until=until)
    return (task.began[WARM + steps] - task.began[WARM]) / steps


def _noise(number: int, sample_rate: int) -> Example:
    draw = np.random.default_rng(number).normal(0, 3000, round(RECORDING_SECONDS * sample_rate))
    return Example(str(number), "nobody", "", "en", sample_rate, draw.clip(-32768, 32767).astype(np.int16))


def _targets(rows: list[dict]) -> list[dict]:
    """What training with all losses should reach with all threads."""
    full = [row for row in rows if row["losses"] == ALL]
    fastest = max(full, key=lambda row: row["threads"], default=None)
    if fastest is None:
        return []
    return [target("all losses: x real time", LEAST_X_REAL_TIME, fastest["x_real_time"])]
