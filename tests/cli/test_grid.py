"""A grid: cells that differ in unit, order or head train at equal budget, resume, and end in one report."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from speechgen.data.image_corpora import digits
from speechgen.data.images import Images
from speechgen.data.sound_units import SoundUnits
from speechgen.errors import UserError
from speechgen.evaluation.grid import check_cells, read_grid
from speechgen.evaluation.grid_score import held_out_bits
from speechgen.evaluation.held_out import HeldOutImages
from speechgen.models.load import load, save_model, unit_fingerprint
from speechgen.tokenizers.images import ImageCodec
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
    margin = min(one["accuracy"] - one["untrained"]["accuracy"] for one in report["cells"].values())
    assert f"recognised more often by {100 * margin:.1f} points or more" in page
    assert "2 steps of 8 items for each cell" in page and "## Does it blur?" in page
    assert list(report["cells"]) == list(CELLS) and set(report["sweeps"]) == {
        "joint_flow steps=1",
        "joint_flow steps=2",
    }
    # An MSE head draws nothing: all items of a label are alike.
    assert report["cells"]["raster_mse"]["variety"] < 1e-6 < report["cells"]["joint_flow"]["variety"]
    assert report["cells"]["codes"]["bits"] > 0 and report["cells"]["joint_flow"]["bits"] is None
    assert report["ceilings"]["test data"]["n"] == 30 and set(report["cells"]["codes"]["untrained"]) >= {"frechet"}
    assert Path("exp/grid.png").read_bytes().startswith(b"\x89PNG")
    names = np.asarray(Image.open("exp/samples.png").convert("L"))[:, :40]  # of cells, beside their rows
    assert (names[:, 0] == 255).all() and all((row < 128).any() for row in np.array_split(names, 3))

    done = {path: path.stat().st_mtime_ns for path in Path("exp").glob("*/*.*") if path.name != "config.yaml"}
    assert run(*words)[0] == 0
    assert done == {path: path.stat().st_mtime_ns for path in done}
    assert json.loads(Path("exp/grid.json").read_text()) == report
    status, _, error = run(*words, "--set", "training.learning_rate=0.1")
    assert status == 2 and "was trained with another config" in error

    # Bits of black and white pixels, counted one by one.
    model, test = load("exp/codes"), HeldOutImages(Path("dump/test"), "judge")
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


SOUND_CELL = {
    "kind": "sound",
    "model": {"tokenizer": {"kind": "sounds", "patch": 2}, "width": 16, "layers": 1, "heads": 2},
    "task": {"batch": 4, "shown": 0},
    "training": TRAINING,
}
SOUND_CODES = "model.tokenizer={kind: sounds, unit: codes, codebooks: 3}"
SPANS = "model.order={kind: levels, first: masked, steps: [3, 2], span: 3, context: 4}"
FLOW = "model.head={kind: flow, width: 8, blocks: 1}"
SOUND_GRID = {
    "kind": "sound",
    "base": "cell.yaml",
    "each": 3,
    "cells": {
        "flow": [FLOW],
        "spans": [SOUND_CODES, SPANS, "model.head={kind: categorical}"],
        "delay": [SOUND_CODES, "model.order={kind: delay}", "model.head={kind: categorical}"],
    },
    "sweeps": {"flow": {"steps": [1, 2]}},
    "questions": {"Codes or latents?": ["spans", "flow steps=1"]},
}


@pytest.fixture
def sound_words(place, tiny_models, tmp_path, monkeypatch) -> tuple:
    """A grid of sounds in the current folder, and the words that train and score it."""
    monkeypatch.chdir(tmp_path)
    data = {split: str(place / "dump/units" / split) for split in ("train", "dev")}
    Path("cell.yaml").write_text(yaml.safe_dump({**SOUND_CELL, "data": data, "tokenizer": str(tiny_models / "codec")}))
    Path("grid.yaml").write_text(yaml.safe_dump(SOUND_GRID, sort_keys=False))
    words = ("grid", "grid.yaml", "--test", place / "dump/dev", "--classifier", place / "exp/classifier")
    return (*words, "--train", place / "dump/train", "--out", "exp", "--device", "cpu")


def test_a_grid_of_sounds_is_scored_as_single_systems_are(run, place, sound_words) -> None:
    status, said, error = run(*sound_words, "--results", "GRID.md")
    assert status == 0 and "3 cells" in said, error
    page, report = Path("GRID.md").read_text(), json.loads(Path("exp/grid.json").read_text())
    assert "recognised, %" in page and "fsdd, 8 items" in page and "## Codes or latents?" in page
    assert list(report["cells"]) == list(SOUND_GRID["cells"]) and set(report["sweeps"]) == {
        "flow steps=1",
        "flow steps=2",
    }
    assert set(report["ceilings"]) == {"test data", "latents of 2 frames", "codes of 3 codebooks"}
    assert report["cells"]["delay"]["bits"] > 0 and report["cells"]["spans"]["bits"] is None
    assert all(cell["n"] == 6 and cell["untrained"]["frechet"] > 0 for cell in report["cells"].values())
    for picture in ("grid.png", "samples.png"):
        assert Path("exp", picture).read_bytes().startswith(b"\x89PNG")

    assert run("sound", "generate-set", "exp/flow", "--each", 2, "--steps", 1, "--out", "made")[0] == 0
    dumps = ("--test", place / "dump/dev", "--train", place / "dump/train")
    judged = ("--classifier", place / "exp/classifier", "--model", "exp/flow")
    assert run("sound", "score", "made", *dumps, *judged)[0] == 0
    rows = json.loads(Path("made/report.json").read_text())["judged"]
    for row, name in zip(rows, ("test data", "latents of 2 frames")):
        for key in ("n", "accuracy", "frechet"):
            assert row[key] == pytest.approx(report["ceilings"][name][key], abs=1e-6)

    done = {path: path.stat().st_mtime_ns for path in Path("exp").glob("*/*.*") if path.name != "config.yaml"}
    assert run(*sound_words)[0] == 0
    assert done == {path: path.stat().st_mtime_ns for path in done}


CONFIDENCE = ["model.order={kind: masked, choice: confidence}", FLOW]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": {"flow": [FLOW], "bad": CONFIDENCE}}, "grid.yaml: cell bad: order: masked by confidence needs"),
        ({"cells": {"flow": [FLOW], "bad": [SOUND_CODES, FLOW]}}, "cell bad: head: flow draws continuous units"),
        (
            {"cells": {"bad": [SOUND_CODES.replace("3", "9"), "model.head={kind: depth}"]}},
            "cell bad: tokenizer.codebooks = 9: the codec has 3",
        ),
        ({"cells": {"bad": ["model.tokenizer={kind: sounds, patch: 4}", FLOW]}}, "cell bad: model.tokenizer: patch 4"),
        ({"cells": {"bad": ["model.order={kind: joint}", "model.head={kind: one-step}"]}}, "one-step learns from a"),
        ({"sweeps": {"delay": {"steps": [2]}}}, "cell delay: head: categorical draws in one pass"),
        ({"sweeps": {"flow": {"order_steps": [2]}}}, "cell flow: order: raster has a fixed number of steps"),
        ({"sweeps": {"flow": {"steps": [0]}}}, "cell flow: steps must be at least 1"),
        ({"set": ["task.unknown=0"], "guidance": 2.0}, "cell flow: guidance needs training in which labels"),
        ({"kind": "image"}, "is an experiment of kind sound, not image"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_work_is_refused_before_any_is_trained(changes, message, run, sound_words) -> None:
    Path("grid.yaml").write_text(
        yaml.safe_dump({**SOUND_GRID, "sweeps": {}, "questions": {}, **changes}, sort_keys=False)
    )
    status, _, error = run(*sound_words)
    assert status == 2 and message in error and error.count("\n") == 1, error
    assert not Path("exp").exists()


def test_held_out_data_that_does_not_fit_is_refused_before_any_cell_is_trained(run, corpus, place, sound_words) -> None:
    without = [word for word in sound_words if word not in ("--train", place / "dump/train")]
    for words, line in [
        (without, "name them with --train"),
        ([*sound_words, "--classifier", corpus / "judge"], "is no classifier of such signals"),
        ([*sound_words, "--label", "speaker"], "no recording has one of the labels"),
        ([*sound_words, "--test", "nowhere"], "nowhere"),
    ]:
        status, _, error = run(*words)
        assert status == 2 and line in error and error.count("\n") == 1, error
    assert not Path("exp").exists()
    os.chdir(corpus)
    images = ("grid", "grid.yaml", "--test", "dump/test", "--classifier", "judge", "--out", "refused")
    status, _, error = run(*images, "--train", "dump/train")
    assert status == 2 and "leave out --train" in error
    status, _, error = run(
        *images, "--set", "model.head={kind: depth}", "--set", "model.tokenizer={kind: pixels, side: 8}"
    )
    assert status == 2 and "cell raster_mse: head: depth draws codes" in error and not Path("refused").exists()


@pytest.mark.parametrize("recipe", sorted(ROOT.glob("egs/*/grid")), ids=lambda recipe: recipe.parent.name)
def test_every_cell_of_the_recipes_grids_can_be_built_and_drawn_from(recipe: Path, monkeypatch, tmp_path) -> None:
    shutil.copytree(recipe / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    config, cells = read_grid(Path("conf/grid.yaml"), [])
    assert len(cells) >= 12 and config.questions
    for split in ("train", "dev"):
        if config.kind == "sound":
            codec, latents = load(cells[0].experiment.tokenizer), np.zeros((2, 52, 32), np.float16)
            sounds = SoundUnits(latents, np.array([9, 9]), np.array([0, 1]), ["a", "b"], unit_fingerprint(codec), "x")
            sounds.write(cells[0].experiment.data.model_dump()[split])
        else:
            pixels = np.zeros((4, 16, 16, 1), np.uint8)
            Images(pixels, np.arange(4), list("abcd"), "x").write(cells[0].experiment.data.model_dump()[split])
    for path in Path("conf").glob("tokenizer/*.yaml"):
        tokenizer = read_experiment(path, []).model
        save_model(Path("exp/tokenizer") / path.stem, tokenizer, ImageCodec(tokenizer), "# untrained\n")
    held_out = SimpleNamespace(check=lambda model: None)
    check_cells(Path("conf/grid.yaml"), config, cells, Path("exp/grid"), held_out)
    _, moved = read_grid(Path("conf/grid.yaml"), [], Path("mine"))
    for cell, elsewhere in zip(cells, moved, strict=True):
        named = cell.experiment.tokenizer
        assert elsewhere.experiment.tokenizer == (named and Path("mine") / named.name)
