"""What every order is made of: an arranged sequence for training, a planned step for generation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Arranged:
    """Units laid out in the order of generation.

    values (B, K', S) long, or (B, D, S) float; mask (B, K', S) bool ((B, 1, S) for continuous units): True where a
    real unit lies, which is where a loss counts. Elsewhere values hold the order's ``special``.
    """

    values: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Step:
    """What one step of generation draws.

    ``real`` (N, K') bool ((N, 1) for continuous units): where False the step has no unit, and ``special`` stands
    instead. ``allowed``: the codes that may be drawn, when not all may. ``decides``: the frame that may be called the
    last at this step. ``completes``: the frame that is whole after this step. Both are None when the step does no
    such thing.
    """

    index: int
    real: Tensor
    allowed: range | None
    decides: int | None
    completes: int | None


class Order(Protocol):
    """In which order the units of a grid appear. A frame is the K codes, or the one latent, of one time index.

    ``codes_per_step`` (K') and ``vocabulary`` (V') are what a discrete head must be built for; ``special`` stands
    where no unit is (embedding tables need V' + 1 rows); ``memory`` is how many drawn units ``frame`` looks back on.
    """

    codes_per_step: int
    vocabulary: int
    special: int
    memory: int

    def forward(self, units: Tensor, mask: Tensor | None = None) -> Arranged:
        """Arrange units (B, K, T) or (B, D, T); mask (B, T) bool, True = real, padding on the right."""

    def inverse(self, values: Tensor) -> Tensor:
        """Arranged values back to units: ``inverse(forward(units).values) == units`` wherever they are real."""

    def steps(self, frames: int) -> int:
        """How many steps so many frames take."""

    def plan(self, index: int, ends: Tensor) -> Step:
        """What step ``index`` draws when row n has ``ends[n]`` frames (its limit, until its stop is decided)."""

    def frame(self, recent: Sequence[Tensor]) -> Tensor:
        """The frame (N, K) or (N, D) that the latest of the last ``memory`` drawn units completed."""


def frame_mask(units: Tensor, mask: Tensor | None) -> Tensor:
    """The given mask, or one that calls everything real: (B, T) bool."""
    if mask is not None:
        return mask
    return torch.ones(units.shape[0], units.shape[2], dtype=torch.bool, device=units.device)
