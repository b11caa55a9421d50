"""Images from the command line: prepare, dump, train, generate, score, pack; every named system; wrong uses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from speechgen.data.images import Images
from speechgen.evaluation.distances import frechet_distance
from speechgen.models.systems import SYSTEMS

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/mini/image"
FEW = {"steps": 3, "warmup": 1, "log_every": 1}
TINY = {"width": 16, "layers": 1, "heads": 2}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """dump/ of some digits, and exp/ with the recipe's tokenizers and classifier, hardly trained."""
    from speechgen.data.image_corpora import digits
    from speechgen.training.experiment import read_experiment, run_experiment

    folder = tmp_path_factory.mktemp("images")
    for split, images in digits().items():
        some = Images(images.pixels[:60], images.labels[:60], images.names, images.source)
        some.write(folder / "dump" / split)
        some.resized(4, 1).write(folder / "dump/small" / split)
    for config in [*RECIPE.glob("conf/scorer/*.yaml"), *sorted(RECIPE.glob("conf/tokenizer/*.yaml"))]:
        exp = folder / "exp" / config.parent.name / config.stem
        sets = changes(folder)
        if config.stem == "gan":
            judge = folder / "exp/scorer/classifier"
            sets += [f"task.perceptual.model={judge}", "task.adversarial.start_step=1"]
            sets += ["task.adversarial.discriminator_warmup=1"]
        run_experiment(read_experiment(config, sets), exp, "cpu")
    return folder


def changes(folder: Path, dump: str = "dump") -> list[str]:
    sets = [f"data.{split}={folder / dump / split}" for split in ("train", "dev")]
    return [*sets, *(f"training.{key}={value}" for key, value in FEW.items()), "task.batch=8", "task.shown=4"]


def train(folder: Path, name: str, tokenizer: str | None) -> Path:
    from speechgen.training.experiment import read_experiment, run_experiment

    one_shot = yaml.safe_load((RECIPE / f"conf/{name}.yaml").read_text())["kind"] != "image"
    sizes = [f"model.{key}={value}" for key, value in TINY.items() if key == "width" or not one_shot]
    chosen = [f"tokenizer={folder / 'exp/tokenizer' / tokenizer}"] if tokenizer else []
    dump = "dump/small" if name.startswith("small/") else "dump"
    config = read_experiment(RECIPE / f"conf/{name}.yaml", [*changes(folder, dump), *sizes, *chosen])
    if not (folder / "exp" / name).exists():
        run_experiment(config, folder / "exp" / name, "cpu")
    return folder / "exp" / name


IMAGE_SYSTEMS = [system for system in SYSTEMS if "egs/mini/image" in system.config]


@pytest.mark.parametrize("system", IMAGE_SYSTEMS, ids=lambda system: system.name)
def test_every_system_trains_and_samples_from_its_config(system, run, place, tmp_path) -> None:
    tokenizer = system.train.split("--tokenizer ")[1].split()[0]
    exp = train(place, Path(system.config).stem, None if tokenizer == "none" else tokenizer)
    words = system.sample.split()
    if "--small" in words:
        place_of = words.index("--small") + 1
        words[place_of] = str(train(place, f"small/{Path(system.config).stem}", None))
    words[3] = str(exp)
    words[-1] = str(tmp_path / words[-1])
    status, said, error = run(*words[1:])
    assert status == 0, error
    assert Path(words[-1]).read_bytes().startswith(b"\x89PNG") and "8 images of 3" in said


def test_the_list_says_what_the_configs_say(run, tmp_path) -> None:
    status, said, _ = run("systems", "--json", tmp_path / "systems.json")
    listed = json.loads((tmp_path / "systems.json").read_text())
    assert status == 0 and all(one["name"] in said for one in listed) and len(listed) == len(SYSTEMS)
    assert set(listed[0]) == {"name", "unit", "order", "head", "config", "train", "sample"}
    for one in listed:
        assert (ROOT / one["train"].split()[0]).exists()
        model = yaml.safe_load((ROOT / one["config"]).read_text())["model"]
        if one["order"] == "one shot":
            continue
        order, head = model.get("order", "raster"), model.get("head", one["head"])
        assert (order["kind"] if isinstance(order, dict) else order) == one["order"]
        assert (head["kind"] if isinstance(head, dict) else head) == one["head"]


def test_from_images_to_scores(run, place, tmp_path) -> None:
    exp = train(place, "maskgit", "vq")
    assert run("image", "generate-set", exp, "--each", 2, "--guidance", 2, "--out", tmp_path / "generate")[0] == 0
    assert len(Images.read(tmp_path / "generate/made")) == 20
    scoring = ("--test", place / "dump/test", "--classifier", place / "exp/scorer/classifier", "--model", exp)
    status, said, error = run("image", "score", tmp_path / "generate", *scoring, "--results", tmp_path / "RESULTS.md")
    assert status == 0, error
    report = json.loads((tmp_path / "generate/report.json").read_text())
    assert [row["n"] for row in report["judged"]] == [30, 30, 20, 30]
    assert all(0 <= row["accuracy"] <= 1 and row["frechet"] >= 0 for row in report["judged"])
    results = (tmp_path / "RESULTS.md").read_text()
    status, _, error = run("image", "score", tmp_path, *scoring)
    assert status == 2 and "write it with 'speechgen image generate-set'" in error, error
    assert said.strip() in results and "masked" in results and "digits, 60 images of 10 labels" in results
    assert run("pack", exp, "--out", tmp_path / "packed")[0] == 0
    # A packed model holds its tokenizer, and draws the same.
    for model, out in ((exp, "a.png"), (tmp_path / "packed", "b.png")):
        assert run("image", "generate", model, "--label", "7", "--seed", 3, "-o", tmp_path / out)[0] == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "order: masked, head: categorical" in (tmp_path / "packed/README.md").read_text()


class Means(torch.nn.Module):
    """Features as Inception's file has them: uint8 images to (N, D), if they are asked for by name."""

    def forward(self, images: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        assert images.dtype == torch.uint8 and images.shape[1] == 3
        return images.float().mean(-1).flatten(1) if return_features else images.float().sum()


def test_a_network_from_outside_measures_too(run, place, tmp_path) -> None:
    exp, network = train(place, "maskgit", "vq"), Means()
    assert run("image", "generate-set", exp, "--each", 3, "--out", tmp_path / "generate")[0] == 0
    torch.jit.script(network).save(tmp_path / "means.pt")
    scoring = ("--test", place / "dump/test", "--classifier", place / "exp/scorer/classifier", "--model", exp)
    words = ("image", "score", tmp_path / "generate", *scoring)
    results = tmp_path / "RESULTS.md"
    status, said, error = run(*words, "--features", tmp_path / "means.pt", "--results", results)
    assert status == 0, error
    first, second = Images.read(place / "dump/test").halves()
    made = Images.read(tmp_path / "generate/made")
    seen = []
    for one in (first, second, made):
        pixels = torch.from_numpy(one.pixels).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
        seen.append(network(pixels, return_features=True))
    report = json.loads((tmp_path / "generate/report.json").read_text())
    rows = {row["name"]: row["frechet_by_file"] for row in report["judged"]}
    assert report["features"] == "means.pt" and len(rows) == 4
    assert rows["generated"] == pytest.approx(frechet_distance(seen[2], seen[0]), rel=1e-5)
    assert rows["test images"] == pytest.approx(frechet_distance(seen[1], seen[0]), rel=1e-5)
    assert "Frechet distance by means.pt" in said and f"{rows['noise']:.2f}" in said
    assert said.strip() in results.read_text() and "by the features of means.pt" in results.read_text()
    (tmp_path / "broken.pt").write_bytes(b"no network")
    status, _, error = run(*words, "--features", tmp_path / "broken.pt")
    assert status == 2 and "broken.pt: no TorchScript file" in error and len(error.splitlines()) == 1


def test_preparing_and_dumping(run, tmp_path) -> None:
    status, said, _ = run("image", "prepare", "digits", "--out", tmp_path / "data")
    assert status == 0 and "1300 images of 8 x 8 pixels, 10 labels" in said
    assert run("dump", "images", tmp_path / "data/dev", tmp_path / "dump", "--side", 12, "--channels", 3)[0] == 0
    dumped = Images.read(tmp_path / "dump")
    assert dumped.pixels.shape == (200, 12, 12, 3) and dumped.names[3] == "3"
    arrays = {"x_train": np.zeros((5010, 28, 28), np.uint8), "y_train": np.arange(5010) % 10}
    arrays |= {"x_test": np.zeros((20, 28, 28), np.uint8), "y_test": np.arange(20) % 10}
    np.savez(tmp_path / "mnist.npz", **arrays)
    assert run("image", "prepare", "mnist", "--corpus", tmp_path, "--out", tmp_path / "mnist")[0] == 0
    assert [len(Images.read(tmp_path / "mnist" / split)) for split in ("train", "dev", "test")] == [10, 5000, 20]


def test_mistakes_are_named_and_leave_nothing(run, place, tmp_path) -> None:
    exp = train(place, "maskgit", "vq")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/images.npz").write_bytes(b"PK not a file")
    out = ("-o", tmp_path / "out.png")
    for words, line in [
        (
            ("image", "generate", exp, "--label", "13", *out),
            "label '13' is not known; known: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        ),
        (("image", "generate", exp, "--steps", 3, *out), "draws in one pass"),
        (("image", "generate", exp, "--order_steps", 0, *out), "at least 1"),
        (("image", "generate", exp, "--guidance", "nan", *out), "guidance must be a finite number, not nan"),
        (("image", "generate", place / "exp/tokenizer/vq", *out), "is no generator of images"),
        (("image", "generate", exp, "-o", tmp_path / "out.txt"), "name a .png"),
        (("image", "prepare", "mnits", "--out", tmp_path / "out"), "did you mean 'mnist'"),
        (("image", "prepare", "mnist", "--out", tmp_path / "out"), "with --corpus"),
        (("dump", "images", tmp_path / "broken", tmp_path / "out"), "no readable set of images"),
        (("dump", "images", tmp_path / "nowhere", tmp_path / "out"), "no such file"),
        (("dump", "images", place / "dump/dev", tmp_path / "out", "--channels", 2), "1 (grey) or 3 (colours)"),
        (
            ("train", RECIPE / "conf/ddpm.yaml", "--exp", tmp_path / "out", *sets(place, "tokenizer.side", 7)),
            "dump them at its size",
        ),
        (
            (
                *("train", RECIPE / "conf/ddpm.yaml", "--exp", tmp_path / "out", *sets(place, "layers", 1)),
                f"--set=data.dev={place / 'dump/small/dev'}",
            ),
            "small/dev: images of 4x4x1, but the model has 8x8x1; dump them at its size",
        ),
        (
            ("train", RECIPE / "conf/image.yaml", "--exp", tmp_path / "out", *sets(place, "heads", 5)),
            "width 16 does not divide into 5 heads",
        ),
        (
            ("train", RECIPE / "conf/vae.yaml", "--exp", tmp_path / "out", *sets(place, "strides", "[3]")),
            "model: strides (3,) do not divide the side of 8 pixels",
        ),
        (
            ("train", RECIPE / "conf/gan.yaml", "--exp", tmp_path / "out", *sets(place, "strides", "[3]")),
            "model: strides (3,) do not divide the side of 8 pixels",
        ),
        (
            ("image", "invert", exp, "a.png", "--name", "a", "--out", tmp_path / "out", "--learning_rate", -1),
            "Invalid value for '--learning_rate'",
        ),
        (
            ("train", RECIPE / "conf/image.yaml", "--exp", tmp_path / "out", *sets(place, "tokenizer", CODES)),
            "draws continuous units, but the units are codes",
        ),
    ]:
        status, _, error = run(*words)
        assert status == 2 and line in error and error.count("\n") == 1, (words, error)
    assert not list(tmp_path.glob("out*"))


CODES = "{kind: pixels, side: 8, levels: 4}"


def sets(place: Path, key: str, value) -> list[str]:
    return [f"--set={one}" for one in [*changes(place), f"model.{key}={value}", "model.width=16"]]


def test_what_was_trained_is_collected_and_kept(run, place, tmp_path, monkeypatch) -> None:
    """A row and a sheet of each system that was scored; those of other days stay."""
    monkeypatch.chdir(tmp_path)
    status, _, error = run("systems", "--gallery", "docs")
    assert status == 2 and "none of the systems" in error and not Path("docs").exists()
    judge = place / "exp/scorer/classifier"
    for name, tokenizer in (("maskgit", "vq"), ("mse", "vae")):
        exp = Path("egs/mini/image/exp", name)
        exp.parent.mkdir(parents=True, exist_ok=True)
        exp.symlink_to(train(place, name, tokenizer))
        if not (exp / "generate").exists():
            assert run("image", "generate-set", exp, "--each", 2, "--out", exp / "generate")[0] == 0
        scoring = ("--test", place / "dump/test", "--classifier", judge, "--model", exp)
        assert run("image", "score", exp / "generate", *scoring)[0] == 0
    said = run("systems", "--gallery", "docs")[1]
    assert f"2 of {len(SYSTEMS)}" in said and "MaskGIT, MSE on latents" in said
    before = json.loads(Path("docs/systems.json").read_text())
    assert before["MaskGIT"]["n"] == 20 and 0 <= before["MaskGIT"]["accuracy"] <= 1
    assert Path("docs/mini-image-maskgit.png").read_bytes().startswith(b"\x89PNG")
    Path("egs/mini/image/exp/maskgit").unlink()
    assert "1 of" in run("systems", "--gallery", "docs")[1]
    assert json.loads(Path("docs/systems.json").read_text())["MaskGIT"] == before["MaskGIT"]
    page = Path("docs/README.md").read_text()
    assert "![MaskGIT](mini-image-maskgit.png)" in page and "| MaskGIT |" in page and "## egs/mini/image" in page


def test_the_commands_of_a_recipe(run) -> None:
    status, said, _ = run("systems", "--commands", "egs/mini/image/")
    assert status == 0 and said.splitlines() == [
        system.train.replace(" --stop_stage train", "") for system in IMAGE_SYSTEMS
    ]
    status, _, error = run("systems", "--commands", "egs/mini/imag")
    assert status == 2 and "did you mean" in error and "egs/mini/image" in error
