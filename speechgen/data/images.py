"""Sets of labelled images, as folders that hold one .npz file, and how they come to one size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechgen.data.folders import new_folder
from speechgen.errors import UserError

FILE = "images.npz"


@dataclass(frozen=True)
class Images:
    """``pixels`` (N, H, W, C) uint8, C 1 or 3; ``labels`` (N,) int64, numbers of ``names``, labels or captions;
    ``source``: a corpus."""

    pixels: np.ndarray
    labels: np.ndarray
    names: list[str]
    source: str

    def __len__(self) -> int:
        return len(self.pixels)

    def write(self, folder: Path) -> None:
        """Write the folder; it appears complete or not at all."""
        with new_folder(folder) as place:
            np.savez_compressed(
                place / FILE, pixels=self.pixels, labels=self.labels, names=np.array(self.names), source=self.source
            )

    @classmethod
    def read(cls, folder: Path) -> "Images":
        """Raises UserError for a folder that holds no such file, or a damaged one."""
        path = folder / FILE
        try:
            with np.load(path, allow_pickle=False) as file:
                pixels, labels = file["pixels"], file["labels"].astype(np.int64)
                names, source = [str(name) for name in file["names"]], str(file["source"])
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; write it with 'speechgen image prepare'") from None
        except Exception:  # zipfile and numpy raise many kinds for a damaged file
            raise UserError(f"{path}: is no readable set of images; prepare or dump it again") from None
        wrong = pixels.ndim != 4 or pixels.dtype != np.uint8 or pixels.shape[3] not in (1, 3)
        if wrong or len(labels) != len(pixels) or not len(pixels) or not 0 <= labels.min() <= labels.max() < len(names):
            raise UserError(f"{path}: expected pixels (N, H, W, 1 or 3) of 8 bits and a label for each")
        return cls(pixels, labels, names, source)

    def resized(self, side: int, channels: int) -> "Images":
        """At side x side pixels, in grey (1) or colours (3); what is not square is padded to a square first."""
        from PIL import Image

        modes = {1: "L", 3: "RGB"}
        if channels not in modes:
            raise UserError(f"channels {channels}: images have 1 (grey) or 3 (colours)")
        if self.pixels.shape[1:] == (side, side, channels):
            return self
        made = np.empty((len(self), side, side, channels), np.uint8)
        for index, pixels in enumerate(self.pixels):
            image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[2] == 1 else pixels).convert(modes[channels])
            long = max(image.size)
            square = Image.new(modes[channels], (long, long), image.getpixel((0, 0)))
            square.paste(image, ((long - image.width) // 2, (long - image.height) // 2))
            made[index] = np.asarray(square.resize((side, side), Image.Resampling.BICUBIC)).reshape(
                side, side, channels
            )
        return Images(made, self.labels, self.names, self.source)
