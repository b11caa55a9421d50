"""Frame by frame, and within a frame a few positions at a time in random order (NOVA, Deng et al. 2025).

The grid stands twice in the sequence: whole, where frame t sees those before it and itself; and with blanks, where
frame t sees the whole frames before it and what is known of itself. So all frames are learned in one pass.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from speechgen.config import Config
from speechgen.orders.layout import View
from speechgen.orders.masked import Masked, MaskedConfig, hidden_share, unmask


class FramesConfig(Config):
    """``steps`` of each frame."""

    kind: Literal["frames"] = "frames"
    steps: int = Field(6, ge=1)


class Frames:
    """Over ``count`` frames of ``each`` positions."""

    def __init__(self, config: FramesConfig, count: int, each: int) -> None:
        self.config, self.count, self.each = config, count, each
        self.positions = count * each

    def view(self, units: Tensor, generator: torch.Generator | None = None) -> View:
        """Of units (B, K | D, S): S positions that are whole, and S of which in each frame some are blank."""
        target = units.transpose(1, 2)
        batch, device = len(units), units.device
        blank = hidden_share(batch * self.count, self.each, generator, device).view(batch, -1)
        whole = torch.zeros_like(blank)
        twice = torch.cat([target, target], dim=1)
        drawn = torch.cat([whole, blank], dim=1)
        return View(twice, drawn, twice, drawn.unsqueeze(-1), self.visible(device))

    def visible(self, device: torch.device | None = None) -> Tensor:
        """Which positions (columns) each one (rows) sees, (2 S, 2 S) bool: the whole grid's, then the blank one's."""
        frame = torch.arange(self.count, device=device).repeat_interleave(self.each)
        before, own = frame[None, :] < frame[:, None], frame[None, :] == frame[:, None]
        nothing = torch.zeros_like(own)
        return torch.cat([torch.cat([before | own, nothing], dim=1), torch.cat([before, own], dim=1)])


@torch.no_grad()
def reel(
    order: Frames,
    units: Tensor,
    look: Callable[[Tensor, Tensor], Tensor],
    draw: Callable[[Tensor, Tensor | None], Tensor],
    *,
    steps: int,
    guided: bool = False,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Draw the frames of blank ``units`` (N, S, K | D) one after another; yields the units after each step.

    look(inputs (N, 2 S, K | D), blank (N, 2 S)) -> (R, 2 S, C); R is N, or 2 N when ``guided``: conditioned rows, then
    null ones. draw(z (M, C), z_null (M, C) | None) -> (M, K | D): the head.
    """
    for frame in range(order.count):
        for after in _one_frame(order, units, frame, look, draw, steps, {"guided": guided, "generator": generator}):
            yield after
        units = after


def _one_frame(order: Frames, units: Tensor, frame: int, look, draw, steps: int, options: dict) -> Iterator[Tensor]:
    here = slice(frame * order.each, (frame + 1) * order.each)
    there = slice(order.positions + here.start, order.positions + here.stop)

    def look_at(known: Tensor, blank: Tensor) -> Tensor:
        everything = torch.zeros(len(units), 2 * order.positions, dtype=torch.bool, device=units.device)
        everything[:, there] = blank
        now = units.clone()
        now[:, here] = known
        return look(torch.cat([now, now], dim=1), everything)[:, there]

    masked = Masked(MaskedConfig(choice="random", steps=steps))
    for known in unmask(masked, units[:, here], look_at, draw, lambda z, codes: z[:, 0], steps=steps, **options):
        after = units.clone()
        after[:, here] = known.units
        yield after
