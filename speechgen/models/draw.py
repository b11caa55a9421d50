"""Drawing from a generator: each order has its loop; what it yields can be watched unit by unit."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.heads.base import STEPPED
from speechgen.models.draw_groups import frames, levels
from speechgen.models.draw_orders import Asked, from_the_left, masked, scales, together
from speechgen.models.generator import Generator
from speechgen.models.one_shot import OneShot
from speechgen.orders.base import FROM_THE_LEFT

LOOPS = {"masked": masked, "next_scale": scales, "joint": together, "levels": levels, "frames": frames}
LOOPS |= dict.fromkeys(FROM_THE_LEFT, from_the_left)
SOLVERS = {"flow": ("euler", "midpoint"), "diffusion": ("ddim", "ddpm")}  # of each kind of head


@dataclass(frozen=True)
class Drawing:
    """How to draw: ``steps`` and ``solver`` of flow and diffusion, ``order_steps`` of the masked order (None: the
    config's), ``guidance`` (1: none), ``temperature``."""

    guidance: float = 1.0
    temperature: float = 1.0
    steps: int | None = None
    solver: str | None = None
    order_steps: int | None = None

    def fits(self, model: Generator | OneShot) -> bool:
        """Whether this model can do all of it."""
        try:
            self.check(model)
        except UserError:
            return False
        return True

    def check(self, model: Generator | OneShot) -> None:
        """Raises UserError for values out of range, and for what this model cannot do."""
        for name, steps in (("steps", self.steps), ("order_steps", self.order_steps)):
            if steps is not None and steps < 1:
                raise UserError(f"{name} must be at least 1, not {steps}")
        if not isfinite(self.guidance):
            raise UserError(f"guidance must be a finite number, not {self.guidance}; 1 is as learned")
        if not 0 <= self.temperature < inf:
            raise UserError(f"temperature must be a finite number of at least 0, not {self.temperature}")
        if isinstance(model, OneShot):
            if self.steps or self.solver or self.order_steps or self.guidance != 1.0:
                raise UserError(f"{model.config.kind} makes an image in one pass: it has no steps, solver or guidance")
            return
        kind = model.config.head.kind
        if (self.steps or self.solver) and kind not in STEPPED:
            raise UserError(f"head: {kind} draws in one pass; steps and solver are for flow and diffusion")
        if self.solver and self.solver not in SOLVERS[kind]:
            raise UserError(f"solver {self.solver!r}: of head: {kind} there are {' and '.join(SOLVERS[kind])}")
        if self.order_steps and model.config.order.kind not in ("masked", "frames"):
            raise UserError(
                f"order: {model.config.order.kind} has a fixed number of steps; order_steps is for masked and frames"
            )
        if self.guidance != 1.0 and not (model.config.labels and model.config.guidance):
            raise UserError("guidance needs training in which labels were withheld, and this model's had none; use 1")


@torch.no_grad()
def draw_images(
    model: Generator | OneShot,
    labels: Tensor,
    drawing: Drawing,
    generator: torch.Generator,
    small: Tensor | None = None,
    prompt: Tensor | None = None,
) -> Tensor:
    """Images (N, C, side, side), clips (N, C, frames, side, side) or waveforms (N, 1, samples) in [-1, 1], of labels
    (N,) or words (N, W) (``model.nothing``: not told), from small pictures (N, C, s, s) where the model is shown
    some. The first units may be given as a ``prompt``."""
    if isinstance(model, OneShot):
        drawing.check(model)
        return model.sample(labels, drawing.temperature, generator)
    *_, units = draw_units(model, labels, drawing, generator, small, prompt)
    return model.images_of(units)


@torch.no_grad()
def draw_units(
    model: Generator,
    labels: Tensor,
    drawing: Drawing,
    generator: torch.Generator,
    small: Tensor | None = None,
    prompt: Tensor | None = None,
) -> Iterator[Tensor]:
    """Units (N, K | D, S) of labels (N,) or words (N, W), as far as they are known after each step; a code that is not
    yet is -1, a latent its mean.

    The last ones are whole; ``model.images_of`` makes images of any of them. A ``prompt`` of fewer units (N, K | D, P),
    as ``model.units_of`` makes them, is continued in raster order. Raises UserError for what cannot be.
    """
    drawing.check(model)
    guided = drawing.guidance != 1.0
    rows = torch.cat([labels, torch.full_like(labels, model.nothing)]) if guided else labels
    asked = Asked(rows, len(labels), model.hint(small), _scaled(model, prompt))
    for units in LOOPS[model.config.order.kind](model, asked, drawing, generator):
        yield units if model.tokenizer.codebooks else units * model.deviation + model.mean


def _scaled(model: Generator, prompt: Tensor | None) -> Tensor | None:
    """A prompt as the backbone is shown it; raises UserError where none can be continued."""
    if prompt is None:
        return None
    if model.config.order.kind != "raster":
        order = model.config.order.kind
        raise UserError(f"a prompt is continued from the left, which order: {order} does not; use order: raster")
    if not 0 < prompt.shape[2] < model.units:
        raise UserError(f"a prompt of {prompt.shape[2]} units: the model makes {model.units}, give fewer")
    return prompt if model.tokenizer.codebooks else (prompt - model.mean) / model.deviation
