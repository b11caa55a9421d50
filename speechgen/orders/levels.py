"""Codebook after codebook: the first says the most, each later one refines all positions at once.

The first from left to right and the others in one pass each is VALL-E (Wang et al. 2023, section 4.2); every level in a
few masked steps is SoundStorm (Borsos et al. 2023), and with spans and a restricted context MAGNeT (Ziv et al. 2024).
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from speechgen.config import Config
from speechgen.orders.layout import View, view_from_the_left
from speechgen.orders.masked import Masked, MaskedConfig, hidden_share, unmask
from speechgen.orders.raster import Raster

# What the backbone says z (R, S, C) of units (N, S, K), unknown ones special, when this level is drawn.
Look = Callable[[Tensor, int], Tensor]
Draw = Callable[[Tensor, Tensor | None, int, float | None], Tensor]


class LevelsConfig(Config):
    """``first``: how the first codebook is drawn. ``steps`` of the masked order for each level that is not from the
    left; the last number serves all levels after. ``span``: as of the masked order. ``context``: how many positions to
    each side a position of the levels after the first sees, in each layer (section 3.2 of MAGNeT); None: all."""

    kind: Literal["levels"] = "levels"
    first: Literal["raster", "masked"] = "raster"
    steps: tuple[Annotated[int, Field(ge=1)], ...] = Field((1,), min_length=1)
    span: int = Field(1, ge=1)
    context: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.span > 1 and max(self.steps) == 1:
            raise ValueError(f"span {self.span} is of levels in masked steps; steps says that each is drawn at once")
        return self

    def steps_of(self, level: int) -> int:
        """Steps of a level; with the first one from the left, the numbers begin with the second."""
        place = level - (self.first == "raster")
        return self.steps[min(place, len(self.steps) - 1)]


class Levels:
    """Shows training one level a batch: those before it known, those after it unknown."""

    def __init__(self, config: LevelsConfig, codebooks: int, codebook_size: int) -> None:
        self.config, self.codebooks, self.special = config, codebooks, codebook_size
        self.first = Raster(1, codebook_size)

    def view(self, units: Tensor, generator: torch.Generator | None = None) -> View:
        """Of codes (B, K, S), at a level drawn by the generator."""
        level = int(torch.randint(self.codebooks, (), generator=generator, device=units.device))
        return self.view_of(units, level, generator)

    def view_of(self, units: Tensor, level: int, generator: torch.Generator | None = None) -> View:
        """What training shows of codes (B, K, S) at a level; its ``time`` tells which."""
        target = units.transpose(1, 2)
        time = torch.full((len(units),), level / self.codebooks, device=units.device)
        if level == 0 and self.config.first == "raster":
            shown = units.clone()
            shown[:, 1:] = self.special
            left = view_from_the_left(self.first.forward(shown))
            drawn = torch.zeros_like(target, dtype=torch.bool)
            drawn[..., 0] = True
            return View(left.inputs, left.blank, target, drawn, left.visible, time)
        hidden = torch.ones(target.shape[:2], dtype=torch.bool, device=units.device)
        if self.config.steps_of(level) > 1:
            hidden = hidden_share(*target.shape[:2], generator, units.device, span=self.config.span)
        inputs, drawn = target.clone(), torch.zeros_like(target, dtype=torch.bool)
        inputs[..., level + 1 :] = self.special
        inputs[..., level] = inputs[..., level].masked_fill(hidden, self.special)
        drawn[..., level] = hidden
        visible = self.visible(level, target.shape[1], units.device)
        return View(inputs, torch.zeros_like(hidden), target, drawn, visible, time)

    def visible(self, level: int, positions: int, device: torch.device | None = None) -> Tensor:
        """Which positions (columns) each one (rows) sees where a level is not drawn from the left, (S, S) bool."""
        place = torch.arange(positions, device=device)
        apart = (place[:, None] - place[None, :]).abs()
        context = self.config.context if level else None
        return apart <= (positions if context is None else context)


@torch.no_grad()
def refine(
    order: Levels,
    units: Tensor,
    look: Look,
    draw: Draw,
    sureness: Callable[[Tensor, Tensor, int], Tensor],
    *,
    guided: bool = False,
    generator: torch.Generator | None = None,
    noise: float = 1.0,
) -> Iterator[Tensor]:
    """Draw the levels of codes (N, S, K) that are still special throughout; yields the codes after each step.

    look(units, level) -> (R, S, C): R is N, or 2 N when ``guided``. draw(z (M, C), z_null, level, temperature | None)
    -> (M,). sureness(z, codes (M,), level) -> (M,). A level of one step takes the likeliest codes (temperature 0).
    """
    options = {"guided": guided, "generator": generator, "noise": noise}
    for level in range(order.codebooks):
        if (units[..., level] == order.special).all():
            for after in _one_level(order, units, level, look, draw, sureness, options):
                yield after
            units = after


def _one_level(order: Levels, units: Tensor, level: int, look: Look, draw: Draw, sureness, options) -> Iterator[Tensor]:
    steps = order.config.steps_of(level)

    def look_at(known: Tensor, blank: Tensor) -> Tensor:
        shown = units.clone()
        shown[..., level] = known[..., 0].masked_fill(blank, order.special)
        return look(shown, level)

    def draw_at(z: Tensor, z_null: Tensor | None) -> Tensor:
        return draw(z, z_null, level, 0.0 if steps == 1 else None).unsqueeze(-1)

    def sureness_at(z: Tensor, codes: Tensor) -> Tensor:
        return sureness(z, codes.squeeze(-1), level)

    masked = Masked(MaskedConfig(choice="confidence", steps=steps, span=order.config.span))
    begun = units[..., level : level + 1]
    for known in unmask(masked, begun, look_at, draw_at, sureness_at, steps=steps, **options):
        after = units.clone()
        after[..., level] = known.units[..., 0]
        yield after
