"""Next-scale order: a whole grid, tiny at first, then larger and larger (VAR, Tian et al. 2024).

All units of a scale are drawn at once; they see each other's places and every smaller scale. What a scale is shown is
its canvas: what the smaller ones amount to, at the new size.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from speechgen.config import Config
from speechgen.orders.layout import View

# The scales drawn so far (B, K | D, s, s), and the side of the next: what it is shown (B, C, side, side).
Canvas = Callable[[list[Tensor], int], Tensor]


class NextScaleConfig(Config):
    """``scales``: sides of the grids, from the smallest to the whole."""

    kind: Literal["next_scale"] = "next_scale"
    scales: tuple[int, ...] = Field((1, 2, 4), min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(small >= large for small, large in zip((0, *self.scales), self.scales)):
            raise ValueError("scales begin at 1 or more, and each is larger than the one before")
        return self


class ScaleBackbone(Protocol):
    """The ``step`` of ``speechgen.nn.transformer.Transformer`` for positions that see each other."""

    def step(self, x: Tensor, state: Any, mask: None = None, together: bool = False) -> tuple[Tensor, Any]: ...


class NextScale:
    """All scales in one sequence of ``length`` positions, the smallest first, each in raster order."""

    def __init__(self, config: NextScaleConfig) -> None:
        self.scales = config.scales
        self.length = sum(side * side for side in self.scales)

    def join(self, scales: list[Tensor]) -> Tensor:
        """Scales (B, C, s, s) to a sequence (B, C, length)."""
        return torch.cat([scale.flatten(2) for scale in scales], dim=2)

    def split(self, sequence: Tensor) -> list[Tensor]:
        """A sequence (B, C, length) to its scales (B, C, s, s)."""
        parts = sequence.split([side * side for side in self.scales], dim=2)
        return [part.unflatten(2, (side, side)) for part, side in zip(parts, self.scales, strict=True)]

    def visible(self, device: torch.device | None = None) -> Tensor:
        """Which positions (columns) each one (rows) sees: its own scale and the smaller ones, (length, length) bool."""
        sides = torch.tensor(self.scales, device=device)
        scale = torch.arange(len(self.scales), device=device).repeat_interleave(sides * sides)
        return scale[None, :] <= scale[:, None]

    def view(self, units: Tensor, canvas: Canvas) -> View:
        """What training shows of units (B, K | D, length)."""
        scales, batch = self.split(units), len(units)
        shown = [canvas(scales[:index], side) for index, side in enumerate(self.scales) if index]
        blank = torch.zeros(batch, self.length, dtype=torch.bool, device=units.device)
        blank[:, : self.scales[0] ** 2] = True
        channels = shown[0].shape[1] if shown else 1
        inputs = self.join([units.new_zeros(batch, channels, self.scales[0], self.scales[0]).float(), *shown])
        target = units.transpose(1, 2)
        return View(
            inputs.transpose(1, 2), blank, target, torch.ones_like(blank).unsqueeze(-1), self.visible(units.device)
        )


def pyramid(units: Tensor, scales: tuple[int, ...]) -> list[Tensor]:
    """A grid of continuous units (B, D, H, H) at every scale, by means over areas (FlowAR, Ren et al. 2024)."""
    return [F.adaptive_avg_pool2d(units, side) for side in scales]


def enlarged(scales: list[Tensor], side: int) -> Tensor:
    """The canvas of continuous units: the last scale (B, D, s, s) at the next side."""
    return F.interpolate(scales[-1].float(), size=(side, side), mode="bilinear", align_corners=False)


@torch.no_grad()
def grow(
    order: NextScale,
    backbone: ScaleBackbone,
    state: Any,
    embed: Callable[[int, Tensor | None], Tensor],
    draw: Callable[[Tensor, Tensor | None], Tensor],
    canvas: Canvas,
    *,
    guided: bool = False,
) -> Iterator[Tensor]:
    """Draw one scale after another; yields each (N, K | D, s, s).

    embed(index, canvas (N, C, s, s) | None) -> (R, s * s, width): the backbone's input for scale ``index``; R is N, or
    2 N when ``guided``: conditioned rows, then null ones. draw(z (M, C), z_null (M, C) | None) -> (M, K | D).
    """
    drawn: list[Tensor] = []
    for index, side in enumerate(order.scales):
        z, state = backbone.step(embed(index, canvas(drawn, side) if index else None), state, together=True)
        z, z_null = z.chunk(2) if guided else (z, None)
        unit = draw(z.flatten(0, 1), None if z_null is None else z_null.flatten(0, 1))
        drawn.append(unit.view(len(z), side, side, -1).permute(0, 3, 1, 2))
        yield drawn[-1]
