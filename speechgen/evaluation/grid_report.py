"""A grid's report: GRID.md with tables of cells, ceilings, sweeps and questions; a picture of quality against time; and
what each cell draws."""

import os
from pathlib import Path

import torch

from speechgen.evaluation.charts import COLOURS
from speechgen.evaluation.grid import GridConfig, unit_name
from speechgen.evaluation.held_out import HeldOut
from speechgen.evaluation.judged import FRECHET, RECOGNISED
from speechgen.evaluation.labels import label_lines, label_points
from speechgen.evaluation.logs import write_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.results import page, table
from speechgen.evaluation.variants import Variant
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.load import load
from speechgen.training.facts import read_facts

PICTURE, SHEET, REPORT = "grid.png", "samples.png", "grid.json"
MARKERS = {"raster": "o", "flat": "o", "delay": "<", "masked": "s", "next_scale": "^", "joint": "D", "levels": "v"}
HEADER = [FRECHET, RECOGNISED, "variety, %", "ms per item"]


def write_grid(path: Path, config: GridConfig, cells: list[Variant], out: Path, report: dict, test: HeldOut) -> None:
    """Write GRID.md at ``path``, and grid.json, grid.png and samples.png into ``out``."""
    write_json(out / REPORT, report)
    draw_grid(out / PICTURE, cells, report)
    draw_samples(out / SHEET, config, cells, out, test)
    training, task, facts = cells[0].experiment.training, cells[0].experiment.task, read_facts(out / cells[0].name)
    learned = facts[f"{config.kind}s"]
    about = {
        "budget": f"{training.steps} steps of {task.batch} items for each cell, the same ones, seed {training.seed}",
        "training data": f"{learned['corpus']}, {learned['count']} items",
        "test data": test.about,
        "drawn": f"{config.each} items of each label, guidance {config.guidance:g}",
        "trained on": facts["machine"],
        "timed on": describe_machine(),
        "pictures": f"{PICTURE}, {SHEET} (a row for each cell, in the order of the table)",
    }
    parts = ["## Cells", _cells(cells, out, report), _margins(report), "## Ceilings", _ceilings(report)]
    if report["sweeps"]:
        parts += ["## Sweeps", table(["cell", *HEADER], [_row(name, s) for name, s in report["sweeps"].items()])]
    rows = {**report["cells"], **report["sweeps"]}
    for question, names in config.questions.items():
        parts += [f"## {question}", table(["cell", *HEADER], [_row(name, rows[name]) for name in names])]
    notes = [
        "A classifier trained apart recognises the items and lends its features to the Frechet distance. Variety is "
        "the spread of features within a label, in percent of that of real data: 0 means that all items of a label are "
        "alike. Guidance can make items easier to recognise than real ones, and so lift a cell above what its "
        "tokenizer leaves of these. Bits are those of a held-out item's units, where a cell says a likelihood; between "
        "tokenizers they do not compare. Untrained: the same model before its first step.",
    ]
    write_text(path, page("Grid", "speechgen grid", about, parts, notes))


def _cells(cells: list[Variant], out: Path, report: dict) -> str:
    header = ["cell", "unit", "order", "head", "parameters, M", "minutes", *HEADER, "bits", "untrained"]
    rows = []
    for cell in cells:
        score, model = report["cells"][cell.name], load(out / cell.name)
        own = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("tokenizer."))
        name, *scores = _row(cell.name, score)
        minutes = read_facts(out / cell.name)["seconds"] / 60
        untrained = f"{score['untrained']['frechet']:.1f}, {100 * score['untrained']['accuracy']:.0f} %"
        bits = "-" if score["bits"] is None else f"{score['bits']:.1f}"
        triple = [unit_name(cell, model), model.config.order.kind, model.config.head.kind]
        rows.append([name, *triple, f"{own / 1e6:.2f}", f"{minutes:.1f}", *scores, bits, untrained])
    return table(header, rows)


def _margins(report: dict) -> str:
    """By how much the cells are above their untrained selves, at least."""
    cells = report["cells"]
    points = {name: 100 * (one["accuracy"] - one["untrained"]["accuracy"]) for name, one in cells.items()}
    shares = {name: 100 * (1 - one["frechet"] / one["untrained"]["frechet"]) for name, one in cells.items()}
    least, nearest = min(points, key=points.__getitem__), min(shares, key=shares.__getitem__)
    return (
        f"Against the same cell untrained, every cell is recognised more often by {points[least]:.1f} points or more "
        f"(least: {least}), and its distance is lower by {shares[nearest]:.0f} % or more (least: {nearest})."
    )


def _ceilings(report: dict) -> str:
    rows = [
        _row(name if name == "test data" else f"test data through {name}", score)
        for name, score in report["ceilings"].items()
    ]
    return table(["what the tokenizer leaves", *HEADER], rows)


def _row(name: str, score: dict) -> list[str]:
    milliseconds = "-" if score["milliseconds"] is None else f"{score['milliseconds']:.2f}"
    parts = (f"{score['frechet']:.2f}", f"{100 * score['accuracy']:.1f}", f"{100 * score['variety']:.0f}")
    return [name, *parts, milliseconds]


def draw_grid(path: Path, cells: list[Variant], report: dict) -> None:
    """A PNG: Frechet distance against time per item; a colour for each head, a marker for each order, a line for each
    sweep, a dashed line for each tokenizer's ceiling."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.2), layout="constrained", dpi=110)
    axes, ends, others = figure.subplots(), [], []
    heads = list(dict.fromkeys(cell.experiment.model.head.kind for cell in cells))
    for cell in cells:
        model, score = cell.experiment.model, report["cells"][cell.name]
        colour = COLOURS[heads.index(model.head.kind) % len(COLOURS)]
        swept = [s for name, s in report["sweeps"].items() if name.split()[0] == cell.name]
        points = sorted(((s["milliseconds"], s["frechet"]) for s in swept), key=lambda point: point[0])
        if points:
            axes.plot(*zip(*points), "-", color=colour, alpha=0.5, marker=".", linewidth=1.1)
            others += points
        ends.append((score["milliseconds"], score["frechet"]))
        axes.plot(*ends[-1], MARKERS[model.order.kind], color=colour, markersize=7)
    ceilings = {name: score["frechet"] for name, score in report["ceilings"].items()}
    for height in ceilings.values():
        axes.axhline(height, color="#888888", linestyle="--", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="ms per item", ylabel="Frechet distance (lower is better)")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.margins(x=0.08)
    label_lines(axes, list(ceilings), list(ceilings.values()))
    label_points(axes, [cell.name for cell in cells], ends, others)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    figure.savefig(partial, format="png")
    os.replace(partial, path)


def draw_samples(path: Path, config: GridConfig, cells: list[Variant], out: Path, test: HeldOut) -> None:
    """A PNG with a row of items, of sounds their spectrograms, for each cell, from the same seed."""
    rows = []
    for cell in cells:
        model = load(out / cell.name)
        labels = torch.arange(test.shown) % len(model.config.labels)
        generator = torch.Generator().manual_seed(1)
        rows.append(draw_images(model, labels, Drawing(guidance=config.guidance), generator))
    test.write_sheet(path, torch.cat(rows), [cell.name for cell in cells])
