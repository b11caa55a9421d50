"""Drawing from a generator: each order has its loop; what it yields can be watched unit by unit."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.heads.base import STEPPED
from speechgen.models.draw_groups import draw_frames, draw_levels
from speechgen.models.generator import Generator
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

    def check(self, model: Generator) -> None:
        """Raises UserError for what this model cannot do."""
        for name, steps in (("steps", self.steps), ("order_steps", self.order_steps)):
            if steps is not None and steps < 1:
                raise UserError(f"{name} must be at least 1, not {steps}")
        kind = model.config.head.kind
        if (self.steps or self.solver) and kind not in STEPPED:
            raise UserError(f"head: {kind} draws in one pass; steps and solver are for flow and diffusion")
        solvers = {"flow": ("euler", "midpoint"), "diffusion": ("ddim", "ddpm")}
        if self.solver and self.solver not in solvers[kind]:
            raise UserError(f"solver {self.solver!r}: of head: {kind} there are {' and '.join(solvers[kind])}")
        if self.order_steps and model.config.order.kind not in ("masked", "frames"):
            raise UserError(
                f"order: {model.config.order.kind} has a fixed number of steps; order_steps is for masked and frames"
            )
        if self.guidance != 1.0 and not (model.config.labels and model.config.guidance):
            raise UserError("guidance needs training in which labels were withheld, and this model's had none; use 1")


@torch.no_grad()
def draw_images(
    model: Generator, labels: Tensor, drawing: Drawing, generator: torch.Generator, prompt: Tensor | None = None
) -> Tensor:
    """Images (N, C, side, side), clips (N, C, frames, side, side) or waveforms (N, 1, samples) in [-1, 1] of labels
    (N,) (``len(config.labels)``: not told), of which the first units may be given as a ``prompt``."""
    *_, units = draw_units(model, labels, drawing, generator, prompt)
    return model.images_of(units)


@torch.no_grad()
def draw_units(
    model: Generator, labels: Tensor, drawing: Drawing, generator: torch.Generator, prompt: Tensor | None = None
) -> Iterator[Tensor]:
    """Units (N, K | D, S) of labels (N,), as far as they are known after each step; a code that is not yet
    is -1, a latent its mean.

    The last ones are whole; ``model.images_of`` makes images of any of them. A ``prompt`` of fewer units (N, K | D, P),
    as ``model.units_of`` makes them, is continued in raster order. Raises UserError for what cannot be.
    """
    drawing.check(model)
    guided = drawing.guidance != 1.0
    rows = torch.cat([labels, torch.full_like(labels, len(model.config.labels))]) if guided else labels
    kind = model.config.order.kind
    if prompt is not None:
        if kind != "raster":
            raise UserError(f"a prompt is continued from the left, which order: {kind} does not; use order: raster")
        if not 0 < prompt.shape[2] < model.units:
            raise UserError(f"a prompt of {prompt.shape[2]} units: the model makes {model.units}, give fewer")
        prompt = prompt if model.tokenizer.codebooks else (prompt - model.mean) / model.deviation
    loops = {
        "masked": _masked,
        "next_scale": _scales,
        "joint": _joint,
        "levels": lambda *given: draw_levels(*given, _head(model, drawing, generator)),
        "frames": lambda *given: draw_frames(*given, _head(model, drawing, generator)),
    }
    steps = (
        _from_the_left(model, rows, len(labels), drawing, generator, prompt)
        if kind in FROM_THE_LEFT
        else loops[kind](model, rows, len(labels), drawing, generator)
    )
    for units in steps:
        yield units if model.tokenizer.codebooks else units * model.deviation + model.mean


def _head(model: Generator, drawing: Drawing, generator: torch.Generator):
    """The head's ``sample`` with the options that it has."""
    options = {"guidance": drawing.guidance, "temperature": drawing.temperature, "generator": generator}
    if model.config.head.kind in STEPPED:
        options |= {"steps": drawing.steps, "solver": drawing.solver}

    def draw(z: Tensor, z_null: Tensor | None, step: Step | None = None, **more: float) -> Tensor:
        if step is not None and model.config.head.kind == "depth":
            more["real"] = step.real
        elif step is not None and step.allowed is not None:
            more["allowed"] = step.allowed
        return model.head.sample(z, z_null, **{**options, **more})

    return draw


def _from_the_left(model, rows, count, drawing, generator, prompt=None) -> Iterator[Tensor]:
    frames = model.units
    given = 0 if prompt is None else prompt.shape[2]
    state = model.backbone.initial_state(len(rows), model.positions, condition=model.condition(rows))
    width = model.tokenizer.codebooks or model.unit_width
    dtype = torch.long if model.tokenizer.codebooks else torch.float32
    units = torch.full((count, width, frames), -1 if model.tokenizer.codebooks else 0, dtype=dtype, device=rows.device)
    if prompt is not None:
        units[..., :given] = prompt

    def embed(index: int, unit: Tensor | None) -> Tensor:
        if unit is None and prompt is not None:
            first = torch.cat([torch.zeros_like(prompt[..., :1]), prompt], dim=2).transpose(1, 2)
            blank = torch.zeros(first.shape[:2], dtype=torch.bool, device=rows.device)
            blank[:, 0] = True
            return model.embed(first, blank).repeat(len(rows) // count, 1, 1)
        if unit is None:
            unit = torch.zeros(
                count, getattr(model.order, "codes_per_step", 0) or width, dtype=dtype, device=rows.device
            )
        blank = torch.full((count, 1), index == 0, device=rows.device)
        return model.embed(unit.unsqueeze(1), blank, given + index).repeat(len(rows) // count, 1, 1)

    draw, guided = _head(model, drawing, generator), len(rows) > count
    for frame in stepwise(model.order, model.backbone, state, embed, draw, limit=frames - given, guided=guided):
        units[..., given + frame.index] = frame.values
        yield units.clone()


def _masked(model, rows, count, drawing, generator) -> Iterator[Tensor]:
    if model.config.order.length == "fixed":
        yield from _unmasked(model, rows, count, model.positions, drawing, generator)
        return
    # What has one length is drawn together; where a sound has ended there is silence.
    chances = model.length(model.label(rows[:count])).softmax(-1)
    lengths = torch.multinomial(chances, 1, generator=generator).squeeze(1) + 1
    silence = model.tokenizer.silence()
    if not model.tokenizer.codebooks:
        silence = ((silence[:, None] - model.mean) / model.deviation).squeeze(1)
    units = silence[None, :, None].repeat(count, 1, model.positions)
    for length in lengths.unique().tolist():
        own = (lengths == length).nonzero().squeeze(1)
        both = rows.view(-1, count)[:, own].flatten()
        for part in _unmasked(model, both, len(own), length, drawing, generator):
            units = units.index_put((own,), torch.cat([part, units[own, :, length:]], dim=2))
            yield units


def _unmasked(model, rows, count, positions, drawing, generator) -> Iterator[Tensor]:
    books = model.tokenizer.codebooks
    blanks = torch.zeros(count, positions, books or model.unit_width, device=rows.device)
    condition = model.condition(rows)

    def look(units: Tensor, blank: Tensor) -> Tensor:
        return model.look(model.embed(units, blank).repeat(len(rows) // count, 1, 1), condition)

    def sureness(z: Tensor, codes: Tensor) -> Tensor:
        return model.head.log_probability(z, codes).sum(-1)

    options = {"guided": len(rows) > count, "generator": generator, "noise": drawing.temperature}
    steps = drawing.order_steps or model.config.order.steps
    draw = _head(model, drawing, generator)
    start = blanks.long() if books else blanks
    for known in unmask(model.order, start, look, draw, sureness, steps=steps, **options):
        units = known.units if not books else known.units.masked_fill(~known.known.unsqueeze(-1), -1)
        yield units.transpose(1, 2)


def _scales(model, rows, count, drawing, generator) -> Iterator[Tensor]:
    state = model.backbone.initial_state(len(rows), model.positions, condition=model.condition(rows))
    firsts = [sum(side * side for side in model.order.scales[:index]) for index in range(len(model.order.scales))]

    def embed(index: int, canvas: Tensor | None) -> Tensor:
        side = model.order.scales[index]
        if canvas is None:
            canvas = torch.zeros(count, model.unit_width, side, side, device=rows.device)
        blank = torch.full((count, side * side), index == 0, device=rows.device)
        x = model.embed(canvas.flatten(2).transpose(1, 2), blank, firsts[index])
        return x.repeat(len(rows) // count, 1, 1)

    draw, drawn = _head(model, drawing, generator), []
    loop = grow(model.order, model.backbone, state, embed, draw, model.canvas, guided=len(rows) > count)
    for scale in loop:
        drawn.append(scale)
        blank, sides = -1 if model.tokenizer.codebooks else 0, model.order.scales[len(drawn) :]
        rest = [scale.new_full((*scale.shape[:2], side, side), blank) for side in sides]
        yield model.order.join([*drawn, *rest])


def _joint(model, rows, count, drawing, generator) -> Iterator[Tensor]:
    noise = torch.randn(count, model.positions, model.unit_width, generator=generator, device=rows.device)
    everywhere = torch.zeros(count, model.positions, dtype=torch.bool, device=rows.device)

    def look(x: Tensor, time: Tensor) -> Tensor:
        many = len(rows) // count
        z = model.look(model.embed(x, everywhere).repeat(many, 1, 1), model.condition(rows, time.repeat(many)))
        return model.head.output(z)

    options = {"steps": drawing.steps, "solver": drawing.solver, "guidance": drawing.guidance}
    options |= {"guided": len(rows) > count, "temperature": drawing.temperature, "generator": generator}
    for x in joint(model.process, look, noise, **options):
        yield x.transpose(1, 2)
