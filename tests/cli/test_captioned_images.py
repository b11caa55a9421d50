"""Pictures with captions from the command line: from a folder to scores, new words, what does not fit."""

from pathlib import Path

import pytest

from speechgen.data.images import Images

ROOT = Path(__file__).parents[2]
FEW = {"steps": 3, "warmup": 1, "log_every": 1}


@pytest.fixture(scope="module")
def emoji(tmp_path_factory) -> Path:
    """A folder of small pictures in colours with captions, as FxEmojis has them."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("emoji")
    (folder / "png").mkdir()
    colours, things = ("red", "navy", "gold", "white"), ("heart", "cat", "dog", "sun", "moon", "star")
    lines = ["id\tpath\tcaption"]
    for number in range(150):
        caption = f"{colours[number % 4]} {things[number % 6]} {'abcdefghijklm'[number % 13]}"
        colour = [(255, 0, 0), (0, 0, 128), (255, 215, 0), (255, 255, 255)][number % 4]
        picture = Image.new("RGB", (8, 8), colour)
        picture.putpixel((number % 6, number % 10 % 8), (0, 0, 0))
        picture.save(folder / f"png/{number}.png")
        lines.append(f"{number}\tpng/{number}.png\t{caption}")
    (folder / "names.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_from_captions_to_scores_and_a_new_word(run, emoji, tmp_path) -> None:
    from PIL import Image

    recipe, data = ROOT / "egs/fxemoji/image", tmp_path / "data"
    assert run("image", "prepare", "fxemoji", "--corpus", emoji, "--out", data)[0] == 0
    splits = {split: Images.read(data / split) for split in ("train", "dev", "test")}
    assert sum(map(len, splits.values())) == 150 and splits["train"].pixels.shape[1:] == (8, 8, 3)
    words = {word for name in splits["train"].names for word in name.split()}
    assert all(words.issuperset(name.split()) for split in splits.values() for name in split.names)
    few = [f"--set=training.{key}={value}" for key, value in FEW.items()]
    few += [f"--set=data.{split}={data / split}" for split in ("train", "dev")] + ["--set=task.batch=8"]
    sizes = ["--set=model.width=16", "--set=model.layers=1", "--set=model.heads=2"]
    tokenizer = ["--set=model.side=8", "--set=model.strides=[2]", "--set=model.width=8"]
    units = "--set=model.tokenizer={kind: pixels, side: 8, channels: 3, patch: 4}"
    for config, exp, sets in [
        ("tokenizer/patches", "patches", tokenizer),
        ("scorer/clip", "clip", tokenizer),
        ("image", "ddpm", [*sizes, units]),
        ("dalle", "dalle", [*sizes, f"--set=tokenizer={tmp_path / 'patches'}"]),
    ]:
        status, _, error = run("train", recipe / f"conf/{config}.yaml", "--exp", tmp_path / exp, *few, *sets)
        assert status == 0, error
    drawn = ("--count", 2, "--guidance", 2, "-o", tmp_path / "a.png")
    for exp in ("ddpm", "dalle"):
        status, said, error = run(
            "image", "generate", tmp_path / exp, "--caption", "red cat", "--label", "Sun!", *drawn
        )
        assert status == 0 and "4 images of red cat, Sun!" in said, error
    for words, line in [
        (("--caption", "red cats"), "the word 'cats' is not known; did you mean 'cat'"),
        ((), "name some by --caption; known: a, b, c, cat, d"),
    ]:
        status, _, error = run("image", "generate", tmp_path / "ddpm", *words, *drawn)
        assert status == 2 and line in error and error.count("\n") == 1, error

    made = ("--steps", 2, "--captions", data / "test", "--out", tmp_path / "made")
    assert run("image", "generate-set", tmp_path / "ddpm", "--each", 2, *made)[0] == 0
    judged = ("--test", data / "test", "--classifier", tmp_path / "clip", "--model", tmp_path / "ddpm")
    status, said, error = run("image", "score", tmp_path / "made", *judged)
    assert status == 0 and "generated" in said, error

    pictures = [emoji / f"png/{number}.png" for number in range(3)]
    status, said, error = run(
        "image", "clip", tmp_path / "clip", *pictures, "--caption", "red heart", "--caption", "sun"
    )
    assert status == 0 and len(said.splitlines()) == 6 and "red heart" in said, error
    learned = ("--name", "mine", "--out", tmp_path / "mine")
    status, said, error = run("image", "invert", tmp_path / "ddpm", *pictures, *learned, "--steps", 5)
    assert status == 0 and "knows 'mine'" in said and "in the first 2 steps" in said, error
    once = ("--name", "mine", "--out", tmp_path / "once", "--steps", 1)
    status, said, error = run("image", "invert", tmp_path / "ddpm", pictures[0], *once)
    assert status == 0 and "in the last" not in said and "loss" in said, error
    Image.new("RGB", (20, 30)).save(tmp_path / "tall.png")
    status, _, error = run(
        "image", "invert", tmp_path / "ddpm", tmp_path / "tall.png", "--name", "tall", "--out", tmp_path / "no"
    )
    assert status == 2 and "tall.png: has 20 x 30 pixels; bring it to the model's 8 x 8" in error
    assert error.count("\n") == 1 and not (tmp_path / "no").exists()
    assert run("image", "generate", tmp_path / "mine", "--caption", "red mine", *drawn)[0] == 0
    status, _, error = run("image", "invert", tmp_path / "ddpm", *pictures, "--name", "cat", "--out", tmp_path / "no")
    assert status == 2 and "choose a new word" in error and not (tmp_path / "no").exists()


def test_pictures_that_do_not_fit_are_named(run, emoji, tmp_path) -> None:
    from PIL import Image

    header = "path\tcaption\n"
    Image.new("RGB", (9, 8)).save(tmp_path / "wide.png")
    Image.new("RGBA", (8, 8)).save(tmp_path / "clear.png")
    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    (tmp_path / "broken.png").write_bytes((emoji / "png/0.png").read_bytes()[:60])
    whole = f"{emoji / 'png/0.png'}\tred\n"
    for table, line in [
        (header + whole + f"{tmp_path / 'wide.png'}\twide\n", "wide.png: has 8 x 9 pixels"),
        (header + whole + f"{tmp_path / 'grey.png'}\tgrey\n", "grey.png: has 8 x 8 pixels of 1"),
        (header + f"{tmp_path / 'clear.png'}\tclear\n", "has the mode RGBA; convert it"),
        (header + f"{tmp_path / 'broken.png'}\tbroken\n", "broken.png: is no picture that can be read"),
        (header + f"{emoji / 'png/0.png'}\t?\n", "0.png has no caption"),
        ("path\tname\na.png\ta\n", "the columns path and caption"),
        (header + whole, "leave none to hold out"),
    ]:
        (tmp_path / "names.tsv").write_text(table)
        status, _, error = run("image", "prepare", "fxemoji", "--corpus", tmp_path, "--out", tmp_path / "data")
        assert status == 2 and line in error and error.count("\n") == 1, (table, error)
        assert not (tmp_path / "data").exists()
