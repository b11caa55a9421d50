"""Corpora of images: where they come from and how they are split."""

import csv
import zlib
from pathlib import Path

import numpy as np

from speechgen.data.images import Images
from speechgen.errors import UserError, nearest
from speechgen.text.words import words_of

CORPORA = ("digits", "mnist", "fxemoji")
NAMES = "names.tsv"  # of a folder of pictures: columns path and caption
HELD_OUT = 8  # one captioned picture in so many is for dev, another one for test, if its words are known without it


def digits() -> dict[str, Images]:
    """The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn brings (UCI, CC BY 4.0), split by their place.

    They were collected writer by writer, so the split keeps most writers on one side.
    """
    from sklearn.datasets import load_digits

    loaded = load_digits()
    pixels = np.round(loaded.images * (255 / 16)).astype(np.uint8)[..., None]
    ends = {"train": (0, 1300), "dev": (1300, 1500), "test": (1500, len(pixels))}
    names = [str(digit) for digit in range(10)]
    return {
        split: Images(pixels[first:last], loaded.target[first:last].astype(np.int64), names, "digits")
        for split, (first, last) in ends.items()
    }


def mnist(corpus: Path) -> dict[str, Images]:
    """Handwritten digits of 28 x 28 pixels, from a folder with mnist.npz; the last 5,000 of train are dev.

    Raises UserError for a missing or unusable file.
    """
    path = corpus / "mnist.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("x_train", "y_train", "x_test", "y_test")}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the folder that holds it with --corpus") from None
    except Exception:
        raise UserError(f"{path}: not a file with x_train, y_train, x_test and y_test") from None
    names, held = [str(digit) for digit in range(10)], 5000
    splits = {
        "train": (arrays["x_train"][:-held], arrays["y_train"][:-held]),
        "dev": (arrays["x_train"][-held:], arrays["y_train"][-held:]),
        "test": (arrays["x_test"], arrays["y_test"]),
    }
    return {
        split: Images(pixels[..., None], labels.astype(np.int64), names, "mnist")
        for split, (pixels, labels) in splits.items()
    }


def captioned(corpus: Path, source: str) -> dict[str, Images]:
    """Pictures of one size and their captions, from a folder with names.tsv; a caption in test or dev has no word that
    train lacks, since no model could know it.

    Raises UserError for a table without the columns path and caption, for a picture that cannot be read, and for one of
    another size or mode than the first.
    """
    table = corpus / NAMES
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{table}: no such table; give the folder that holds it with --corpus") from None
    if not rows or not {"path", "caption"} <= rows[0].keys():
        raise UserError(f"{table}: expected a header with the columns path and caption, and a line for each picture")
    pixels = _pictures([corpus / (row["path"] or "") for row in rows])
    captions = [row["caption"] or "" for row in rows]
    if nameless := [row["path"] for row in rows if not words_of(row["caption"] or "")]:
        raise UserError(f"{table}: {nameless[0]} has no caption; give it one, or leave out its line")
    return {
        split: Images(pixels[places], np.arange(len(places)), [captions[place] for place in places], source)
        for split, places in _held_out(captions).items()
    }


def _pictures(paths: list[Path]) -> np.ndarray:
    """Pixels (N, H, W, 1 or 3) of pictures that are alike in size and mode."""
    pixels = []
    for path in paths:
        pixels.append(read_picture(path))
        if pixels[-1].shape != pixels[0].shape:
            have, want = (f"{h} x {w} pixels of {c}" for h, w, c in (pixels[-1].shape, pixels[0].shape))
            raise UserError(
                f"{path}: has {have}, but {paths[0].name} has {want}; bring all to one (1: grey, 3: colours)"
            )
    return np.stack(pixels)


def read_picture(path: Path) -> np.ndarray:
    """Pixels (H, W, 1 or 3) of a picture file, in grey or colours; raises UserError for a broken or another one."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise UserError(f"{path}: is no picture that can be read; mend it or leave it out") from None
    if picture.mode not in ("L", "RGB"):
        raise UserError(f"{path}: has the mode {picture.mode}; convert it to L (grey) or RGB (colours)")
    return np.array(picture).reshape(picture.height, picture.width, -1)


def _held_out(captions: list[str]) -> dict[str, list[int]]:
    """Places of the pictures of each split, by a hash of the caption, so that equal captions stay together."""
    draw = [zlib.crc32(" ".join(words_of(caption)).encode()) % HELD_OUT for caption in captions]
    known = {word for caption, drawn in zip(captions, draw, strict=True) if drawn > 1 for word in words_of(caption)}
    splits: dict[str, list[int]] = {"train": [], "dev": [], "test": []}
    for place, (caption, drawn) in enumerate(zip(captions, draw, strict=True)):
        held = drawn < 2 and known.issuperset(words_of(caption))
        splits[("dev", "test")[drawn] if held else "train"].append(place)
    if not all(splits.values()):
        raise UserError(f"{len(captions)} pictures with these captions leave none to hold out; bring more of them")
    return splits


def prepare_images(name: str, corpus: Path | None) -> dict[str, Images]:
    """The splits of an image corpus; raises UserError for an unknown one, or one whose folder was not given."""
    if name == "digits":
        return digits()
    if name not in CORPORA:
        raise UserError(f"no image corpus named {name!r}{nearest(name, CORPORA)}")
    if corpus is None:
        raise UserError(f"{name}: give the folder that holds {'mnist.npz' if name == 'mnist' else NAMES} with --corpus")
    return mnist(corpus) if name == "mnist" else captioned(corpus, name)
