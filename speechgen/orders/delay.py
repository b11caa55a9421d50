"""Delay pattern: codebook k lags by a fixed number of steps (MusicGen, Copet et al. 2023, section 2.2).

A step draws K codes in parallel, yet each code has seen the earlier codebooks of its own frame.
"""

from collections.abc import Sequence
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.orders.layout import Arranged, Step, View, frame_mask, view_from_the_left


class DelayConfig(Config):
    """``delays``: steps by which each codebook lags; 0, 1, 2, ... when not given."""

    kind: Literal["delay"] = "delay"
    delays: tuple[int, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.delays is not None and (not self.delays or self.delays[0] != 0 or min(self.delays) < 0):
            raise ValueError("delays start at 0 and none is negative: the first codebook decides when to stop")
        return self


class Delay:
    """All codebooks per step, each late by its delay: (B, K, T) -> (B, K, T + largest delay)."""

    def __init__(self, codebooks: int, codebook_size: int, delays: Sequence[int] | None = None) -> None:
        """Raises UserError when the number of delays is not the number of codebooks."""
        self.delays = tuple(range(codebooks) if delays is None else delays)
        if len(self.delays) != codebooks:
            raise UserError(f"order.delays has {len(self.delays)} entries for {codebooks} codebooks: give one for each")
        self.codes_per_step = codebooks
        self.vocabulary = codebook_size
        self.special = codebook_size
        self.lag = max(self.delays)
        self.memory = self.lag + 1

    def forward(self, units: Tensor, mask: Tensor | None = None) -> Arranged:
        batch, codebooks, frames = units.shape
        mask = frame_mask(units, mask)
        values = units.new_full((batch, codebooks, self.steps(frames)), self.special)
        real = torch.zeros_like(values, dtype=torch.bool)
        for book, delay in enumerate(self.delays):
            values[:, book, delay : delay + frames] = units[:, book].masked_fill(~mask, self.special)
            real[:, book, delay : delay + frames] = mask
        return Arranged(values, real)

    def view(self, units: Tensor, generator: torch.Generator | None = None) -> View:
        return view_from_the_left(self.forward(units))

    def inverse(self, values: Tensor) -> Tensor:
        frames = values.shape[2] - self.lag
        return torch.stack([values[:, book, d : d + frames] for book, d in enumerate(self.delays)], dim=1)

    def steps(self, frames: int) -> int:
        return frames + self.lag

    def plan(self, index: int, ends: Tensor) -> Step:
        frames = index - torch.tensor(self.delays, device=ends.device)
        real = (frames >= 0) & (frames < ends.unsqueeze(1))
        return Step(index, real, allowed=None, decides=index, completes=index - self.lag if index >= self.lag else None)

    def frame(self, recent: Sequence[Tensor]) -> Tensor:
        return torch.stack([recent[d - self.lag - 1][:, book] for book, d in enumerate(self.delays)], dim=1)
