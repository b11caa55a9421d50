"""Sets of labelled images, as folders that hold one .npz file; where they come from, and how they come to one size."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from speechgen.data.folders import new_folder
from speechgen.errors import UserError, nearest

FILE = "images.npz"
COLOURS = {1: "L", 3: "RGB"}  # Pillow's modes by the number of channels


@dataclass(frozen=True)
class Images:
    """``pixels`` (N, H, W, C) uint8, C 1 or 3; ``labels`` (N,) int64, numbers of ``names``; ``source``: a corpus."""

    pixels: np.ndarray
    labels: np.ndarray
    names: list[str]
    source: str

    FILE: ClassVar[str] = FILE
    AXES: ClassVar[str] = "N, H, W"  # of the pixels, before the channels
    PREPARE: ClassVar[str] = "speechgen image prepare"

    def __len__(self) -> int:
        return len(self.pixels)

    def write(self, folder: Path) -> None:
        """Write the folder; it appears complete or not at all."""
        with new_folder(folder) as place:
            labels = {"labels": self.labels, "names": np.array(self.names)}
            np.savez_compressed(place / self.FILE, pixels=self.pixels, **labels, source=self.source)

    @classmethod
    def read(cls, folder: Path) -> "Images":
        """Raises UserError for a folder that holds no such file, or a damaged one."""
        path = folder / cls.FILE
        try:
            with np.load(path, allow_pickle=False) as file:
                pixels, labels = file["pixels"], file["labels"].astype(np.int64)
                names, source = [str(name) for name in file["names"]], str(file["source"])
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; write it with '{cls.PREPARE}'") from None
        except Exception:  # zipfile and numpy raise many kinds for a damaged file
            raise UserError(f"{path}: is no readable set of images; prepare or dump it again") from None
        axes = cls.AXES.count(",") + 2
        wrong = pixels.ndim != axes or pixels.dtype != np.uint8 or pixels.shape[-1] not in COLOURS
        if wrong or len(labels) != len(pixels) or not len(pixels) or not 0 <= labels.min() <= labels.max() < len(names):
            raise UserError(f"{path}: expected pixels ({cls.AXES}, 1 or 3) of 8 bits and a label for each")
        return cls(pixels, labels, names, source)

    def resized(self, side: int, channels: int) -> "Images":
        """At side x side pixels, in grey (1) or colours (3); what is not square is padded to a square first."""
        from PIL import Image

        if channels not in COLOURS:
            raise UserError(f"channels {channels}: images have 1 (grey) or 3 (colours)")
        if self.pixels.shape[1:] == (side, side, channels):
            return self
        made = np.empty((len(self), side, side, channels), np.uint8)
        for index, pixels in enumerate(self.pixels):
            image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[2] == 1 else pixels).convert(COLOURS[channels])
            long = max(image.size)
            square = Image.new(COLOURS[channels], (long, long), image.getpixel((0, 0)))
            square.paste(image, ((long - image.width) // 2, (long - image.height) // 2))
            made[index] = np.asarray(square.resize((side, side), Image.Resampling.BICUBIC)).reshape(
                side, side, channels
            )
        return Images(made, self.labels, self.names, self.source)

    @property
    def size(self) -> str:
        """Of one picture, as in "28 x 28"; of clips with the number of frames first."""
        return " x ".join(map(str, self.pixels.shape[1:-1]))


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


def prepare_images(name: str, corpus: Path | None) -> dict[str, Images]:
    """The splits of an image corpus; raises UserError for an unknown one, or one whose folder was not given."""
    if name == "digits":
        return digits()
    if name != "mnist":
        raise UserError(f"no image corpus named {name!r}{nearest(name, ['digits', 'mnist'])}")
    if corpus is None:
        raise UserError("mnist: give the folder that holds mnist.npz with --corpus")
    return mnist(corpus)
