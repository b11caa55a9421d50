"""A grid: cells that differ in unit, order or head train at equal budget, resume, and end in one report."""

import json
import os
from pathlib import Path

import pytest
import torch
import yaml

from speechgen.data.image_corpora import digits
from speechgen.data.images import Images
from speechgen.errors import UserError
from speechgen.evaluation.grid import read_grid
from speechgen.evaluation.grid_score import Test, held_out_bits
from speechgen.models.load import load
from speechgen.training.experiment import read_experiment, run_experiment

ROOT = Path(__file__).parents[2]
TRAINING = {"steps": 2, "warmup": 1, "log_every": 1, "bf16": False}
DATA = {"train": "dump/train", "dev": "dump/dev"}
CELL = {
    "kind": "image",
    "model": {"tokenizer": {"kind": "pixels", "side": 8, "patch": 4}, "width": 16, "layers": 1, "heads": 2},
    "task": {"batch": 8, "shown": 0, "dev_images": 8},
    "data": DATA,
    "training": TRAINING,
}
JUDGE = {**CELL, "kind": "image-classifier", "model": {"side": 8, "width": 8, "features": 8, "blocks": 0}}
CODES = "model.tokenizer={kind: pixels, side: 8, levels: 2}"
CELLS = {
    "raster_mse": ["model.head={kind: mse}"],
    "joint_flow": ["model.order={kind: joint}", "model.head={kind: flow}"],
    "codes": [CODES, "model.head={kind: categorical}"],
}
GRID = {
    "base": "cell.yaml",
    "each": 3,
    "cells": CELLS,
    "sweeps": {"joint_flow": {"steps": [1, 2]}},
    "questions": {"Does it blur?": ["raster_mse", "joint_flow steps=1"]},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("grid")
    for split, images in digits().items():
        Images(images.pixels[:60], images.labels[:60], images.names, images.source).write(folder / "dump" / split)
    (folder / "cell.yaml").write_text(yaml.safe_dump(CELL))
    (folder / "judge.yaml").write_text(yaml.safe_dump(JUDGE))
    (folder / "grid.yaml").write_text(yaml.safe_dump(GRID, sort_keys=False))
    old = Path.cwd()
    os.chdir(folder)
    run_experiment(read_experiment(Path("judge.yaml"), []), Path("judge"), "cpu")
    os.chdir(old)
    return folder


def test_a_grid_is_trained_scored_and_told_and_not_done_again(run, corpus, monkeypatch) -> None:
    monkeypatch.chdir(corpus)
    words = ("grid", "grid.yaml", "--test", "dump/test", "--classifier", "judge", "--out", "exp", "--device", "cpu")
    status, said, error = run(*words, "--results", "GRID.md")
    assert status == 0 and "3 cells" in said, error
    page, report = Path("GRID.md").read_text(), json.loads(Path("exp/grid.json").read_text())
    assert "2 steps of 8 items for each cell" in page and "## Does it blur?" in page
    assert list(report["cells"]) == list(CELLS) and set(report["sweeps"]) == {
        "joint_flow steps=1",
        "joint_flow steps=2",
    }
    # An MSE head draws nothing: all items of a label are alike.
    assert report["cells"]["raster_mse"]["variety"] < 1e-6 < report["cells"]["joint_flow"]["variety"]
    assert report["cells"]["codes"]["bits"] > 0 and report["cells"]["joint_flow"]["bits"] is None
    assert report["ceilings"]["test data"]["n"] == 30 and set(report["cells"]["codes"]["untrained"]) >= {"frechet"}
    for picture in ("grid.png", "samples.png"):
        assert Path("exp", picture).read_bytes().startswith(b"\x89PNG")

    done = {path: path.stat().st_mtime_ns for path in Path("exp").glob("*/*.*") if path.name != "config.yaml"}
    assert run(*words)[0] == 0
    assert done == {path: path.stat().st_mtime_ns for path in done}
    assert json.loads(Path("exp/grid.json").read_text()) == report
    status, _, error = run(*words, "--set", "training.learning_rate=0.1")
    assert status == 2 and "was trained with another config" in error

    # Bits of black and white pixels, counted one by one.
    model, test = load("exp/codes"), Test(Path("dump/test"), "judge")
    bits = held_out_bits(model, test.signals[:2], test.labels[:2])
    units = model.units_of(test.signals[:2])
    view = model.view(units, torch.Generator())
    z = model.look(model.embed(view.inputs, view.blank), model.condition(test.labels[:2]), view.visible)
    chances = model.head.log_probability(z.flatten(0, 1), units.transpose(1, 2).flatten(0, 1))
    assert bits == pytest.approx(-chances.sum().item() / 2 / torch.log(torch.tensor(2.0)).item(), rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": {"a": [], "b": ["training.steps=3"]}}, "b has other steps than a"),
        ({"cells": {"a": [], "b": ["model.width=32"]}}, "cell b has model.width=32, but a has 16"),
        ({"cells": {"a": ["model.hed={}"]}}, "unknown key 'model.hed'; did you mean 'head'"),
        ({"sweeps": {"joint": {"steps": [1]}}}, "sweeps: there is no cell 'joint'"),
        ({"questions": {"Why?": ["joint_flow steps=9"]}}, "Why?: there is no cell 'joint_flow steps=9'; known: codes"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(changes, message, corpus, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(corpus)
    values = {**GRID, "sweeps": {}, "questions": {}, **changes}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError) as error:
        read_grid(tmp_path / "grid.yaml", [])
    assert message in str(error.value) and "\n" not in str(error.value)


def test_the_grids_of_the_recipes_can_be_read(monkeypatch) -> None:
    for place in ROOT.glob("egs/*/grid"):
        monkeypatch.chdir(place)
        config, cells = read_grid(Path("conf/grid.yaml"), [])
        assert len(cells) >= 12 and config.questions
