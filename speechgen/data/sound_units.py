"""Dumps of sounds of one length as a codec's latents, with a label each: what generators of sounds learn from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechgen.data.folders import new_folder
from speechgen.errors import UserError

FILE = "sounds.npz"


@dataclass(frozen=True)
class SoundUnits:
    """``latents`` (N, T, C) float16, normalised; ``frames`` (N,) int64, how many of them sound, the rest is silence;
    ``labels`` (N,) int64, numbers of ``names``; ``codec``: fingerprint of what made them; ``source``: a corpus."""

    latents: np.ndarray
    frames: np.ndarray
    labels: np.ndarray
    names: list[str]
    codec: str
    source: str

    def __len__(self) -> int:
        return len(self.latents)

    def with_names(self, names: list[str]) -> "SoundUnits":
        """With labels numbered as in ``names``; sounds of others are left out. Raises UserError when none is left."""
        known = [one for one, label in enumerate(self.labels) if self.names[label] in names]
        if not known:
            raise UserError(f"{self.source}: no sound has one of the labels {', '.join(names)}")
        labels = np.array([names.index(self.names[label]) for label in self.labels[known]], np.int64)
        return SoundUnits(self.latents[known], self.frames[known], labels, names, self.codec, self.source)

    def write(self, folder: Path) -> None:
        """Write the folder; it appears complete or not at all."""
        with new_folder(folder) as place:
            np.savez(
                place / FILE, latents=self.latents.astype(np.float16), frames=self.frames, labels=self.labels,
                names=np.array(self.names), codec=self.codec, source=self.source,
            )  # fmt: skip

    @classmethod
    def read(cls, folder: Path) -> "SoundUnits":
        """Raises UserError for a folder that holds no such file, or a damaged one."""
        path = Path(folder) / FILE
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = [file[key] for key in ("latents", "frames", "labels")]
                read = cls(*arrays, [str(name) for name in file["names"]], str(file["codec"]), str(file["source"]))
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; write it with 'speechgen dump sounds DUMP {folder}'") from None
        except Exception:  # zipfile and numpy raise many kinds for a damaged file
            raise UserError(f"{path}: is no readable dump of sounds; dump it again") from None
        if read.latents.ndim != 3 or not len(read) == len(read.frames) == len(read.labels):
            raise UserError(f"{path}: expected latents (N, T, C) and a label for each; dump it again")
        return read
