"""Curves of training runs: what tensorboard holds, as a table (CSV) that anyone can read and as one picture."""

import csv
import io
import os
from pathlib import Path

from speechgen.errors import UserError
from speechgen.evaluation.charts import COLOURS
from speechgen.evaluation.logs import write_text

Curves = dict[str, list[tuple[float, float]]]
"""By name of a number, such as ``dev/codes/mel``: (step, value), steps rising."""

COLUMNS = 3  # of panels in a picture


def read_curves(exp: Path, prefix: str = "") -> Curves:
    """All numbers of a run whose names begin with ``prefix``; what a killed run logged and a later one redid is gone.

    Raises UserError for a folder without a log.
    """
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    folder = exp / "tensorboard"
    if not folder.is_dir():
        raise UserError(f"{exp}: holds no training log; name the folder given to 'train --exp'")
    log = EventAccumulator(str(folder), size_guidance={SCALARS: 0})
    log.Reload()
    curves = {}
    for name in sorted(log.Tags()["scalars"]):
        if name.startswith(prefix):
            last = {event.step: event.value for event in log.Scalars(name)}
            curves[name] = sorted(last.items())
    return curves


def write_curves(path: Path, runs: dict[str, Curves]) -> None:
    """A row for each step of each run, a column for each number; a cell is empty where there is none."""
    names = sorted({name for curves in runs.values() for name in curves})
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["run", "step", *names])
    for run, curves in runs.items():
        values = {name: dict(points) for name, points in curves.items()}
        for step in sorted({step for points in values.values() for step in points}):
            writer.writerow([run, step, *(_cell(values.get(name, {}).get(step)) for name in names)])
    write_text(path, file.getvalue())


def draw_curves(path: Path, runs: dict[str, Curves], names: list[str], unit: str = "step") -> None:
    """A PNG with a panel for each of the numbers and a line for each run; ``unit``: what the curves count in."""
    from matplotlib.figure import Figure

    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(4.4 * min(COLUMNS, len(names)), 3.1 * rows + 0.4), layout="constrained", dpi=110)
    lines = {}
    for number, name in enumerate(names):
        axes = figure.add_subplot(rows, min(COLUMNS, len(names)), number + 1)
        for place, (run, curves) in enumerate(runs.items()):
            if points := curves.get(name):
                colour, dash = COLOURS[place % len(COLOURS)], "-" if place < len(COLOURS) else "--"
                steps, values = zip(*points)
                (lines[run],) = axes.plot(steps, values, dash, color=colour, linewidth=1.4, marker=".", label=run)
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_xlabel(unit, fontsize=8)
        axes.tick_params(labelsize=8, length=3)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    figure.savefig(partial, format="png")
    os.replace(partial, path)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
