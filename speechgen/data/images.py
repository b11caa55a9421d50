"""Sets of labelled images, as folders that hold one .npz file, and how they come to one size."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from speechgen.data.folders import new_folder
from speechgen.errors import UserError

FILE = "images.npz"
COLOURS = {1: "L", 3: "RGB"}  # Pillow's modes by the number of channels


@dataclass(frozen=True)
class Images:
    """``pixels`` (N, H, W, C) uint8, C 1 or 3; ``labels`` (N,) int64, numbers of ``names``, labels or captions;
    ``source``: a corpus."""

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
    def read(cls, folder: Path, verb: str = "") -> "Images":
        """Raises UserError for a folder that holds no such file, naming the ``verb`` that does, or a damaged one."""
        path = folder / cls.FILE
        try:
            with np.load(path, allow_pickle=False) as file:
                pixels, labels = file["pixels"], file["labels"].astype(np.int64)
                names, source = [str(name) for name in file["names"]], str(file["source"])
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; write it with '{verb or cls.PREPARE}'") from None
        except Exception:  # zipfile and numpy raise many kinds for a damaged file
            raise UserError(f"{path}: is no readable set of images; prepare or dump it again") from None
        axes = cls.AXES.count(",") + 2
        wrong = pixels.ndim != axes or pixels.dtype != np.uint8 or pixels.shape[-1] not in COLOURS
        if wrong or len(labels) != len(pixels) or not len(pixels) or not 0 <= labels.min() <= labels.max() < len(names):
            raise UserError(f"{path}: expected pixels ({cls.AXES}, 1 or 3) of 8 bits and a label for each")
        return cls(pixels, labels, names, source)

    def halves(self) -> "tuple[Images, Images]":
        """Every other image of each label, and the rest: corpora lie in the order of their writers, or of their care.

        Of MNIST's test images, the first 5,000 are by other writers than the last.
        """
        order = self.labels.argsort(kind="stable")
        parts = (np.sort(order[start::2]) for start in (0, 1))
        first, second = (replace(self, pixels=self.pixels[part], labels=self.labels[part]) for part in parts)
        return first, second

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
