"""A grid: generators of one backbone and one budget that differ in unit, order or head, scored on the same data.

A cell is trained, then drawn from and scored; what is done is not done again. A sweep draws from a cell with other
numbers of steps, without training it anew.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from speechgen.config import Config, load_config
from speechgen.errors import UserError
from speechgen.evaluation.grid_score import score_ceiling, score_drawing, score_untrained
from speechgen.evaluation.held_out import HeldOut, Score
from speechgen.evaluation.logs import read_json, write_json
from speechgen.evaluation.variants import Variant, check_budgets, check_name, check_run, read_variant, train_variant
from speechgen.models.draw import Drawing
from speechgen.models.generator import Generator
from speechgen.models.load import fingerprint, load
from speechgen.training.experiment import build_generator

CELL = "cell.json"  # in a cell's folder: its scores, and what they were made with


class Points(Config):
    """Numbers of steps of the head, or of the order, that a cell is drawn from with."""

    steps: list[int] = []
    order_steps: list[int] = []


class GridConfig(Config):
    """``kind`` of what is made. ``base``: the experiment that all cells are made from, relative to where the verb runs;
    ``set``: overrides for all of them. ``cells``: by name, the overrides that make each one. ``sweeps``: by cell, how
    else it is drawn from. ``each``: items of each label that are drawn and scored. ``questions``: what stands beside
    what in the report, by cells or, of a sweep, ``cell steps=4``."""

    kind: Literal["image", "sound"] = "image"
    base: Path
    set: list[str] = []
    cells: dict[str, list[str]] = Field(min_length=1)
    each: int = Field(100, ge=2)
    guidance: float = 1.0
    sweeps: dict[str, Points] = {}
    questions: dict[str, list[str]] = {}

    @field_validator("cells")
    @classmethod
    def _check(cls, cells: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in cells:
            check_name(name)
        return cells


def read_grid(path: Path, overrides: list[str], tokenizers: Path | None = None) -> tuple[GridConfig, list[Variant]]:
    """A grid's config and its cells; ``overrides`` (``a.b=c``) hold for all of them. ``tokenizers``: a folder where
    those that cells name are taken from, by the last part of their path.

    Raises UserError for mistakes in it or in a cell, for cells whose budgets or backbones differ, and for sweeps and
    questions of cells that there are none of.
    """
    config = load_config(GridConfig, path)
    cells = [
        read_variant(path, name, config.kind, config.base, [*config.set, *own, *overrides], own)
        for name, own in config.cells.items()
    ]
    if tokenizers is not None:
        cells = [_with_tokenizer_of(cell, tokenizers) for cell in cells]
    check_budgets(path, cells, lambda task: (task.batch, task.unknown))
    for cell in cells[1:]:
        for key in ("backbone", "width", "layers", "heads"):
            mine, first = (getattr(one.experiment.model, key) for one in (cell, cells[0]))
            if mine != first:
                raise UserError(f"{path}: cell {cell.name} has model.{key}={mine}, but {cells[0].name} has {first}")
    rows = {*config.cells, *(f"{name} {point}" for name, points in config.sweeps.items() for point in named(points))}
    for where, asked in {"sweeps": config.sweeps, **config.questions}.items():
        for name in asked:
            if name not in (config.cells if where == "sweeps" else rows):
                raise UserError(f"{path}: {where}: there is no cell {name!r}; known: {', '.join(sorted(rows))}")
    return config, cells


def check_cells(path: Path, config: GridConfig, cells: list[Variant], out: Path, test: HeldOut) -> None:
    """Build every cell as its training will, before anything is trained.

    Raises UserError that names the cell: for a unit, an order and a head that cannot work together, for drawings that
    the model cannot make, for data that does not fit, and for a run of another config below ``out``.
    """
    for cell in cells:
        points = named(config.sweeps.get(cell.name, Points()))
        try:
            check_run(cell, out / cell.name)
            model = build_generator(cell.experiment)
            test.check(model)
            for changed in ({}, *points.values()):
                Drawing(guidance=config.guidance, **changed).check(model)
        except UserError as error:
            raise UserError(f"{path}: cell {cell.name}: {error}") from None


def named(points: Points) -> dict[str, dict[str, int]]:
    """The points of a sweep by name: ``steps=4`` is {"steps": 4}."""
    return {f"{key}={value}": {key: value} for key, values in points.model_dump().items() for value in values}


def run_grid(
    config: GridConfig,
    cells: list[Variant],
    out: Path,
    test: HeldOut,
    device: str | None = None,
    on_cell: Callable[[str], None] = lambda name: None,
) -> dict:
    """Train and score all cells below ``out``; the report: scores of cells, of sweeps and of tokenizers."""
    report: dict = {"cells": {}, "sweeps": {}, "ceilings": {"test data": vars(test.ceiling())}}
    for cell in cells:
        on_cell(cell.name)
        train_variant(cell, out / cell.name, device)
        scores = _score(config, cell, out / cell.name, test)
        report["cells"][cell.name] = scores["cell"]
        report["sweeps"] |= {f"{cell.name} {point}": score for point, score in scores["sweep"].items()}
        report["ceilings"].setdefault(scores["tokenizer"], scores["ceiling"])
    return report


def unit_name(cell: Variant, model: Generator) -> str:
    """What a cell's units are called: by its image codec's name, or by what a unit is."""
    units = model.config.tokenizer
    if units.kind == "sounds":
        what, count = ("codebook", units.codebooks) if units.unit == "codes" else ("frame", units.patch)
        return f"{units.unit} of {count} {what}{'s' * (count > 1)}"
    return cell.experiment.tokenizer.name if cell.experiment.tokenizer else units.kind


def _with_tokenizer_of(cell: Variant, folder: Path) -> Variant:
    experiment = cell.experiment
    if experiment.tokenizer is None:
        return cell
    return replace(cell, experiment=experiment.model_copy(update={"tokenizer": folder / experiment.tokenizer.name}))


def _score(config: GridConfig, cell: Variant, exp: Path, test: HeldOut) -> dict:
    """Scores of a trained cell, from its folder where they were made from the same weights in the same way."""
    model = load(exp)
    points = named(config.sweeps.get(cell.name, Points()))
    made_with = {
        "weights": fingerprint(model),
        "test": test.fingerprint,
        "each": config.each,
        "guidance": config.guidance,
    }
    found = read_json(exp / CELL) if (exp / CELL).exists() else {}
    if found.get("made_with") != made_with:
        found = {"made_with": made_with, "sweep": {}, "tokenizer": unit_name(cell, model)}
        plain = Drawing(guidance=config.guidance)
        score: Score = score_drawing(model, plain, config.each, test, likelihood=True)
        untrained = score_untrained(model, plain, config.each, test)
        found["cell"] = {**vars(score), "untrained": vars(untrained)}
        found["ceiling"] = vars(score_ceiling(model, test))
        write_json(exp / CELL, found)
    for name, changed in points.items():
        if name not in found["sweep"]:
            drawing = Drawing(guidance=config.guidance, **changed)
            found["sweep"][name] = vars(score_drawing(model, drawing, config.each, test))
            write_json(exp / CELL, found)
    return {**found, "sweep": {name: found["sweep"][name] for name in points}}
