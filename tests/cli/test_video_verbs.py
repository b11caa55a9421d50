"""Clips from the command line: prepare, dump, train, generate, score, pack; every named system; wrong uses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from speechgen.data.clips import Clips, moving_digits
from speechgen.data.image_corpora import digits
from speechgen.data.images import Images
from speechgen.models.systems import SYSTEMS

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/moving_mnist/video"
VIDEO_SYSTEMS = [system for system in SYSTEMS if "/video/" in system.config]
FEW = {"steps": 3, "warmup": 1, "log_every": 1}
TINY = {"width": 16, "layers": 2}
SIDE, FRAMES = 8, 4


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """dump/ of some moving spots, and exp/ with the recipe's tokenizers and classifier, hardly trained."""
    from speechgen.training.experiment import read_experiment, run_experiment

    folder = tmp_path_factory.mktemp("clips")
    small = {split: images.pixels[:20, 2:6, 2:6] for split, images in digits().items()}
    for split, pixels in small.items():
        spots = Images(pixels, digits()[split].labels[:20], [str(n) for n in range(10)], "spots")
        moving_digits(spots, 20, seed=0, frames=FRAMES, side=SIDE).write(folder / "dump" / split)
    sizes = [f"model.frames={FRAMES}", f"model.side={SIDE}", "model.width=8"]
    for config in [*RECIPE.glob("conf/tokenizer/*.yaml"), *RECIPE.glob("conf/scorer/*.yaml")]:
        exp = folder / "exp" / config.parent.name / config.stem
        run_experiment(read_experiment(config, [*changes(folder), *sizes]), exp, "cpu")
    return folder


def changes(folder: Path) -> list[str]:
    sets = [f"data.{split}={folder / 'dump' / split}" for split in ("train", "dev")]
    return [*sets, *(f"training.{key}={value}" for key, value in FEW.items()), "task.batch=4", "task.shown=2"]


def train(folder: Path, name: str, tokenizer: str | None, tag: str = "", *more: str) -> Path:
    from speechgen.training.experiment import read_experiment, run_experiment

    sizes = [f"model.{key}={value}" for key, value in TINY.items()]
    if tokenizer:
        sizes += [f"tokenizer={folder / 'exp/tokenizer' / tokenizer}", "model.heads=2"]
    else:
        sizes += [f"model.tokenizer.frames={FRAMES}", f"model.tokenizer.side={SIDE}"]
    exp = folder / "exp" / (tag or name)
    if not exp.exists():
        run_experiment(read_experiment(RECIPE / f"conf/{name}.yaml", [*changes(folder), *sizes, *more]), exp, "cpu")
    return exp


@pytest.mark.parametrize("system", VIDEO_SYSTEMS, ids=lambda system: system.name)
def test_every_system_trains_and_samples_from_its_config(system, run, place, tmp_path) -> None:
    tokenizer = system.train.split("--tokenizer ")[1].split()[0]
    exp = train(place, Path(system.config).stem, None if tokenizer == "none" else tokenizer)
    words = system.sample.split()
    words[words.index(next(word for word in words if "/exp/" in word))] = str(exp)
    words[-1] = str(tmp_path / words[-1])
    status, said, error = run(*words[1:])
    assert status == 0, error
    with Image.open(words[-1]) as moving:
        width, height = moving.size
        assert moving.format == "GIF" and moving.n_frames == FRAMES
        assert height * SIDE == width * (4 * SIDE + 3)  # four clips below each other, a pixel apart
    assert "4 clips of 3" in said


def test_from_clips_to_scores(run, place, tmp_path) -> None:
    exp = train(place, "video", "vae")
    made = tmp_path / "generate"
    assert run("video", "generate-set", exp, "--each", 2, "--guidance", 2, "--steps", 2, "--out", made)[0] == 0
    assert len(Clips.read(made / "made")) == 20 and (made / "sheet.gif").read_bytes().startswith(b"GIF")
    scoring = ("--test", place / "dump/test", "--train", place / "dump/train", "--model", exp)
    results = tmp_path / "RESULTS.md"
    means = torch.jit.trace(lambda clips: clips.float().mean(-1).flatten(1), torch.zeros(2, 3, 4, 8, 8))
    means.save(str(tmp_path / "means.pt"))
    scoring += ("--classifier", place / "exp/scorer/classifier", "--features", tmp_path / "means.pt")
    status, said, error = run("video", "score", made, *scoring, "--results", results)
    assert status == 0, error
    report = json.loads((made / "report.json").read_text())
    assert "Frechet distance by means.pt" in said and all(row["frechet_by_file"] >= 0 for row in report["judged"])
    assert [row["n"] for row in report["judged"]] == [20, 20, 20, 20]
    assert said.strip() in results.read_text() and "moving spots, 20 clips of 10 labels" in results.read_text()
    assert run("pack", exp, "--out", tmp_path / "packed")[0] == 0
    for model, out in ((exp, "a.gif"), (tmp_path / "packed", "b.gif")):
        assert run("video", "generate", model, "--label", 7, "--seed", 3, "--steps", 2, "-o", tmp_path / out)[0] == 0
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    assert "clips of 4 frames of 8 x 8 pixels" in (tmp_path / "packed/README.md").read_text()


def test_clips_are_made_from_a_seed_and_go_straight_on(run, tmp_path) -> None:
    status, said, _ = run("video", "prepare", "moving-digits", "--seed", 5, "--out", tmp_path / "data")
    assert status == 0 and "2600 clips of 8 x 16 x 16 pixels, 10 labels" in said
    clips, pictures = Clips.read(tmp_path / "data/dev"), digits()["dev"]
    again = moving_digits(pictures, 400, 6, side=16)
    assert np.array_equal(clips.pixels, again.pixels) and np.array_equal(clips.labels, again.labels)
    assert not np.array_equal(clips.pixels, moving_digits(pictures, 400, 7, side=16).pixels)
    # Every frame holds the whole digit, and no frame lies further from the next than the fastest goes.
    sums = clips.pixels.astype(int).sum((2, 3, 4))
    assert (sums == sums[:, :1]).all()
    rows = (clips.pixels.astype(float).sum((3, 4)) * np.arange(16)).sum(2) / sums
    assert np.abs(np.diff(rows, axis=1)).max() <= 3.5 and np.abs(np.diff(rows, axis=1)).max() > 1
    assert run("dump", "clips", tmp_path / "data/dev", tmp_path / "dump", "--side", 8)[0] == 0
    assert Clips.read(tmp_path / "dump").pixels.shape == (400, 8, 8, 8, 1)


def test_mistakes_are_named_and_leave_nothing(run, place, tmp_path) -> None:
    flow, codes = train(place, "video", "vae"), train(place, "videogpt", "vq")
    told = train(place, "video", "vae", "told", "task.unknown=0")
    out = ("-o", tmp_path / "out.gif")
    made = [f"--set={one}" for one in changes(place)]
    fit = f"--set=tokenizer={place / 'exp/tokenizer/vae'}"
    Clips.read(place / "dump/dev").resized(4, 1).write(tmp_path / "small")
    for words, line in [
        (("video", "generate", flow, "--label", "cat", *out), "known: 0, 1, 2"),
        (("video", "generate", flow, "--steps", 0, *out), "at least 1"),
        (("video", "generate", codes, "--steps", 3, *out), "draws in one pass"),
        (("video", "generate", told, "--guidance", 2, *out), "labels were withheld"),
        (("video", "generate", place / "exp/tokenizer/vq", *out), "is no generator of videos"),
        (("video", "generate", flow, "-o", tmp_path / "out.png"), "name a .gif"),
        (("image", "generate", flow, "-o", tmp_path / "out.png"), "is no generator of images"),
        (("video", "prepare", "moving-mnits", "--out", tmp_path / "out"), "did you mean 'moving-mnist'"),
        (("video", "prepare", "moving-mnist", "--out", tmp_path / "out"), "with --corpus"),
        (("dump", "clips", tmp_path, tmp_path / "out"), "speechgen video prepare"),
        (("train", RECIPE / "conf/vpn.yaml", "--exp", tmp_path / "out", *made), "dump them at its size"),
        (
            ("train", RECIPE / "conf/video.yaml", "--exp", tmp_path / "out", *made, fit,
             f"--set=data.dev={tmp_path / 'small'}"),
            "small: clips of 4x4x4x1, but the model has 4x8x8x1; dump them at its size",
        ),
        (
            ("train", RECIPE / "conf/video.yaml", "--exp", tmp_path / "out", *made, fit,
             "--set=model.order={kind: raster}"),
            "space-time sees all positions; order: raster needs transformer",
        ),
        (
            ("train", RECIPE / "conf/video.yaml", "--exp", tmp_path / "out", *made, fit,
             "--set=model.order={kind: next_scale}"),
            "next_scale enlarges pictures",
        ),
    ]:  # fmt: skip
        status, _, error = run(*words)
        assert status == 2 and line in error and error.count("\n") == 1, (words, error)
    assert not list(tmp_path.glob("out*"))
