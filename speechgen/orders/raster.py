"""Left to right: frame by frame (``Raster``), or code by code with the frames flattened (``FlatRaster``)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from speechgen.config import Config
from speechgen.orders.layout import Arranged, Step, View, frame_mask, view_from_the_left


class RasterConfig(Config):
    """One frame per step: a latent, one code, or all K codes by a depth head."""

    kind: Literal["raster"] = "raster"


class FlatRasterConfig(Config):
    """One code per step, K steps per frame."""

    kind: Literal["flat"] = "flat"


class Raster:
    """One frame per step, in time order: (B, K, T) -> (B, K, T). ``codebooks`` 0 means continuous units."""

    memory = 1

    def __init__(self, codebooks: int = 0, codebook_size: int = 0) -> None:
        self.codes_per_step = codebooks
        self.vocabulary = codebook_size
        self.special = codebook_size  # 0 for continuous units: a latent of zeros

    def forward(self, units: Tensor, mask: Tensor | None = None) -> Arranged:
        mask = frame_mask(units, mask).unsqueeze(1)
        mask = mask.expand(-1, max(self.codes_per_step, 1), -1)
        return Arranged(units.masked_fill(~mask, self.special), mask)

    def view(self, units: Tensor, generator: torch.Generator | None = None) -> View:
        return view_from_the_left(self.forward(units))

    def inverse(self, values: Tensor) -> Tensor:
        return values

    def steps(self, frames: int) -> int:
        return frames

    def plan(self, index: int, ends: Tensor) -> Step:
        real = (index < ends).unsqueeze(1).expand(-1, max(self.codes_per_step, 1))
        return Step(index, real, allowed=None, decides=index, completes=index)

    def frame(self, recent: Sequence[Tensor]) -> Tensor:
        return recent[-1]


class FlatRaster:
    """One code per step, frame after frame: (B, K, T) -> (B, 1, T * K).

    Book k's codes are offset by ``k * codebook_size``, so one table and one softmax serve all books (AudioLM, Borsos
    et al. 2023, section 3).
    """

    codes_per_step = 1

    def __init__(self, codebooks: int, codebook_size: int) -> None:
        self.codebooks = codebooks
        self.codebook_size = codebook_size
        self.vocabulary = codebooks * codebook_size
        self.special = self.vocabulary
        self.memory = codebooks

    def forward(self, units: Tensor, mask: Tensor | None = None) -> Arranged:
        mask = frame_mask(units, mask).unsqueeze(1).expand_as(units)
        books = torch.arange(self.codebooks, device=units.device)[:, None]
        values = (units + books * self.codebook_size).masked_fill(~mask, self.special)
        return Arranged(self._flatten(values), self._flatten(mask))

    def view(self, units: Tensor, generator: torch.Generator | None = None) -> View:
        return view_from_the_left(self.forward(units))

    def inverse(self, values: Tensor) -> Tensor:
        units = values.unflatten(2, (-1, self.codebooks)).squeeze(1).transpose(1, 2)
        books = torch.arange(self.codebooks, device=values.device)[:, None]
        # Outside this layout the special token is the first code past a single codebook.
        return (units - books * self.codebook_size).masked_fill(units == self.special, self.codebook_size)

    def steps(self, frames: int) -> int:
        return frames * self.codebooks

    def plan(self, index: int, ends: Tensor) -> Step:
        frame, book = divmod(index, self.codebooks)
        allowed = range(book * self.codebook_size, (book + 1) * self.codebook_size)
        whole = frame if book == self.codebooks - 1 else None
        return Step(index, real=(frame < ends).unsqueeze(1), allowed=allowed, decides=whole, completes=whole)

    def frame(self, recent: Sequence[Tensor]) -> Tensor:
        return self.inverse(torch.cat(list(recent), dim=1).unsqueeze(1)).squeeze(2)

    @staticmethod
    def _flatten(values: Tensor) -> Tensor:
        return values.transpose(1, 2).flatten(1).unsqueeze(1)
