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


@dataclass(frozen=True)
class View:
    """What the backbone is shown of units in training, and what it is to say; S positions.

    ``inputs`` (B, S, K') long or (B, S, D) float: what stands at each position; ``blank`` (B, S) bool: where a learned
    vector stands instead. ``target`` (B, S, K') or (B, S, D): the unit to draw at each position; ``drawn`` (B, S, K' or
    1) bool: where one is drawn. ``visible`` (S, S) bool: which positions (columns) each one (rows) sees, None for all
    of them. ``time`` (B,): how far noise has become data, or which level is drawn, where that is so. ``real`` (B, S)
    bool: which positions count, None for all.
    """

    inputs: Tensor
    blank: Tensor
    target: Tensor
    drawn: Tensor
    visible: Tensor | None = None
    time: Tensor | None = None
    real: Tensor | None = None


def view_from_the_left(arranged: Arranged) -> View:
    """Every position is shown the unit before its own, the first one none, and sees what is to its left."""
    target = arranged.values.transpose(1, 2)
    batch, steps, _ = target.shape
    inputs = torch.cat([target[:, :1], target[:, :-1]], dim=1)
    blank = torch.zeros(batch, steps, dtype=torch.bool, device=target.device)
    blank[:, 0] = True
    visible = torch.ones(steps, steps, dtype=torch.bool, device=target.device).tril()
    return View(inputs, blank, target, arranged.mask.transpose(1, 2), visible)


class Order(Protocol):
    """In which order the units of a grid appear, step by step from the left.

    A frame is the K codes, or the one latent, of one time index.

    ``codes_per_step`` (K') and ``vocabulary`` (V') are what a discrete head must be built for; ``special`` stands
    where no unit is (embedding tables need V' + 1 rows); ``memory`` is how many drawn units ``frame`` looks back on.
    """

    codes_per_step: int
    vocabulary: int
    special: int
    memory: int

    def forward(self, units: Tensor, mask: Tensor | None = None) -> Arranged:
        """Arrange units (B, K, T) or (B, D, T); mask (B, T) bool, True = real, padding on the right."""

    def view(self, units: Tensor, generator: torch.Generator | None = None) -> View:
        """What training shows of units (B, K, T) or (B, D, T); all of them are real."""

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
