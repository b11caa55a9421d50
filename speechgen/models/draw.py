"""Drawing from a generator: each order has its loop; what it yields can be watched unit by unit."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.heads.base import STEPPED
from speechgen.models.generator import Generator
from speechgen.models.one_shot import OneShot
from speechgen.orders.base import FROM_THE_LEFT
from speechgen.orders.joint import joint
from speechgen.orders.layout import Step
from speechgen.orders.masked import unmask
from speechgen.orders.next_scale import grow
from speechgen.orders.stepwise import stepwise


@dataclass(frozen=True)
class Drawing:
    """How to draw: ``steps`` and ``solver`` of flow and diffusion, ``order_steps`` of the masked order (None: the
    config's), ``guidance`` (1: none), ``temperature``."""

    guidance: float = 1.0
    temperature: float = 1.0
    steps: int | None = None
    solver: str | None = None
    order_steps: int | None = None

    def check(self, model: Generator | OneShot) -> None:
        """Raises UserError for what this model cannot do."""
        if isinstance(model, OneShot):
            if self.steps or self.solver or self.order_steps or self.guidance != 1.0:
                raise UserError(f"{model.config.kind} makes an image in one pass: it has no steps, solver or guidance")
            return
        for name, steps in (("steps", self.steps), ("order_steps", self.order_steps)):
            if steps is not None and steps < 1:
                raise UserError(f"{name} must be at least 1, not {steps}")
        kind = model.config.head.kind
        if (self.steps or self.solver) and kind not in STEPPED:
            raise UserError(f"head: {kind} draws in one pass; steps and solver are for flow and diffusion")
        solvers = {"flow": ("euler", "midpoint"), "diffusion": ("ddim", "ddpm")}
        if self.solver and self.solver not in solvers[kind]:
            raise UserError(f"solver {self.solver!r}: of head: {kind} there are {' and '.join(solvers[kind])}")
        if self.order_steps and model.config.order.kind != "masked":
            raise UserError(f"order: {model.config.order.kind} has a fixed number of steps; order_steps is for masked")
        if self.guidance != 1.0 and not (model.config.labels and model.config.guidance):
            raise UserError("guidance needs training in which labels were withheld, and this model's had none; use 1")


@dataclass(frozen=True)
class Asked:
    """``count`` images of ``rows``: labels (R,) or words (R, W), twice as many with guidance; ``hint``: small ones."""

    rows: Tensor
    count: int
    hint: Tensor | None

    @property
    def repeats(self) -> int:
        return len(self.rows) // self.count


@torch.no_grad()
def draw_images(
    model: Generator | OneShot,
    labels: Tensor,
    drawing: Drawing,
    generator: torch.Generator,
    small: Tensor | None = None,
) -> Tensor:
    """Images (N, C, side, side) in [-1, 1] of labels (N,) or words (N, W) (``model.nothing``: not told), from small
    pictures (N, C, s, s) where the model is shown some."""
    if isinstance(model, OneShot):
        drawing.check(model)
        return model.sample(labels, drawing.temperature, generator)
    *_, units = draw_units(model, labels, drawing, generator, small)
    return model.images_of(units)


@torch.no_grad()
def draw_units(
    model: Generator, labels: Tensor, drawing: Drawing, generator: torch.Generator, small: Tensor | None = None
) -> Iterator[Tensor]:
    """Units (N, K | D, S) of labels (N,) or words (N, W), as far as they are known after each step; else 0.

    The last ones are whole; ``model.images_of`` makes images of any of them. Raises UserError for what cannot be.
    """
    drawing.check(model)
    guided = drawing.guidance != 1.0
    rows = torch.cat([labels, torch.full_like(labels, model.nothing)]) if guided else labels
    asked = Asked(rows, len(labels), model.hint(small))
    kind = model.config.order.kind
    loop = (
        _from_the_left if kind in FROM_THE_LEFT else {"masked": _masked, "next_scale": _scales, "joint": _joint}[kind]
    )
    for units in loop(model, asked, drawing, generator):
        yield units if model.tokenizer.codebooks else units * model.deviation + model.mean


def _head(model: Generator, drawing: Drawing, generator: torch.Generator):
    """The head's ``sample`` with the options that it has."""
    options = {"guidance": drawing.guidance, "temperature": drawing.temperature, "generator": generator}
    if model.config.head.kind in STEPPED:
        options |= {"steps": drawing.steps, "solver": drawing.solver}

    def draw(z: Tensor, z_null: Tensor | None, step: Step | None = None) -> Tensor:
        more = {}
        if step is not None and model.config.head.kind == "depth":
            more["real"] = step.real
        elif step is not None and step.allowed is not None:
            more["allowed"] = step.allowed
        return model.head.sample(z, z_null, **options, **more)

    return draw


def _from_the_left(model, asked, drawing, generator) -> Iterator[Tensor]:
    rows, count, frames = asked.rows, asked.count, prod(model.tokenizer.sides)
    state = model.backbone.initial_state(len(rows), model.positions, condition=model.condition(rows))
    width = model.tokenizer.codebooks or model.unit_width
    dtype = torch.long if model.tokenizer.codebooks else torch.float32
    units = torch.zeros(count, width, frames, dtype=dtype, device=rows.device)

    def embed(index: int, unit: Tensor | None) -> Tensor:
        if unit is None:
            unit = torch.zeros(
                count, getattr(model.order, "codes_per_step", 0) or width, dtype=dtype, device=rows.device
            )
        blank = torch.full((count, 1), index == 0, device=rows.device)
        return model.embed(unit.unsqueeze(1), blank, index, asked.hint).repeat(asked.repeats, 1, 1)

    draw, guided = _head(model, drawing, generator), len(rows) > count
    for frame in stepwise(model.order, model.backbone, state, embed, draw, limit=frames, guided=guided):
        units[..., frame.index] = frame.values
        yield units.clone()


def _masked(model, asked, drawing, generator) -> Iterator[Tensor]:
    rows, count = asked.rows, asked.count
    books, positions = model.tokenizer.codebooks, model.positions
    blanks = torch.zeros(count, positions, books or model.unit_width, device=rows.device)
    condition = model.condition(rows)

    def look(units: Tensor, blank: Tensor) -> Tensor:
        return model.look(model.embed(units, blank, hint=asked.hint).repeat(asked.repeats, 1, 1), condition)

    def sureness(z: Tensor, codes: Tensor) -> Tensor:
        return model.head.log_probability(z, codes).sum(-1)

    options = {"guided": len(rows) > count, "generator": generator, "noise": drawing.temperature}
    steps = drawing.order_steps or model.config.order.steps
    draw = _head(model, drawing, generator)
    start = blanks.long() if books else blanks
    for known in unmask(model.order, start, look, draw, sureness, steps=steps, **options):
        yield known.units.transpose(1, 2)


def _scales(model, asked, drawing, generator) -> Iterator[Tensor]:
    rows, count = asked.rows, asked.count
    state = model.backbone.initial_state(len(rows), model.positions, condition=model.condition(rows))
    firsts = [sum(side * side for side in model.order.scales[:index]) for index in range(len(model.order.scales))]

    def embed(index: int, canvas: Tensor | None) -> Tensor:
        side = model.order.scales[index]
        if canvas is None:
            canvas = torch.zeros(count, model.unit_width, side, side, device=rows.device)
        blank = torch.full((count, side * side), index == 0, device=rows.device)
        x = model.embed(canvas.flatten(2).transpose(1, 2), blank, firsts[index])
        return x.repeat(asked.repeats, 1, 1)

    draw, drawn = _head(model, drawing, generator), []
    loop = grow(model.order, model.backbone, state, embed, draw, model.canvas, guided=len(rows) > count)
    for scale in loop:
        drawn.append(scale)
        rest = [scale.new_zeros(*scale.shape[:2], side, side) for side in model.order.scales[len(drawn) :]]
        yield model.order.join([*drawn, *rest])


def _joint(model, asked, drawing, generator) -> Iterator[Tensor]:
    rows, count = asked.rows, asked.count
    noise = torch.randn(count, model.positions, model.unit_width, generator=generator, device=rows.device)
    everywhere = torch.zeros(count, model.positions, dtype=torch.bool, device=rows.device)

    def look(x: Tensor, time: Tensor) -> Tensor:
        embedded = model.embed(x, everywhere, hint=asked.hint).repeat(asked.repeats, 1, 1)
        z = model.look(embedded, model.condition(rows, time.repeat(asked.repeats)))
        return model.head.output(z)

    options = {"steps": drawing.steps, "solver": drawing.solver, "guidance": drawing.guidance}
    options |= {"guided": len(rows) > count, "temperature": drawing.temperature, "generator": generator}
    for x in joint(model.process, look, noise, **options):
        yield x.transpose(1, 2)
