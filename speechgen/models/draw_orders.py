"""The loops of generation: how each order draws units, which it yields as far as they are known after each step."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from speechgen.models.draw_head import head_of
from speechgen.orders.joint import joint
from speechgen.orders.masked import unmask
from speechgen.orders.next_scale import grow
from speechgen.orders.stepwise import stepwise


@dataclass(frozen=True)
class Asked:
    """``count`` signals of ``rows``: labels (R,) or words (R, W), twice as many with guidance; ``hint``: small
    pictures; ``prompt`` (count, K | D, P): the first units, where they are given."""

    rows: Tensor
    count: int
    hint: Tensor | None = None
    prompt: Tensor | None = None

    @property
    def repeats(self) -> int:
        return len(self.rows) // self.count


def from_the_left(model, asked, drawing, generator) -> Iterator[Tensor]:
    rows, count, prompt = asked.rows, asked.count, asked.prompt
    given = 0 if prompt is None else prompt.shape[2]
    state = model.backbone.initial_state(len(rows), model.positions, condition=model.condition(rows))
    width = model.tokenizer.codebooks or model.unit_width
    dtype = torch.long if model.tokenizer.codebooks else torch.float32
    unknown = -1 if model.tokenizer.codebooks else 0
    units = torch.full((count, width, model.units), unknown, dtype=dtype, device=rows.device)
    if prompt is not None:
        units[..., :given] = prompt

    def embed(index: int, unit: Tensor | None) -> Tensor:
        if unit is None and prompt is not None:
            first = torch.cat([torch.zeros_like(prompt[..., :1]), prompt], dim=2).transpose(1, 2)
            blank = torch.zeros(first.shape[:2], dtype=torch.bool, device=rows.device)
            blank[:, 0] = True
            return model.embed(first, blank, hint=asked.hint).repeat(asked.repeats, 1, 1)
        if unit is None:
            unit = torch.zeros(
                count, getattr(model.order, "codes_per_step", 0) or width, dtype=dtype, device=rows.device
            )
        blank = torch.full((count, 1), index == 0, device=rows.device)
        return model.embed(unit.unsqueeze(1), blank, given + index, asked.hint).repeat(asked.repeats, 1, 1)

    draw, guided = head_of(model, drawing, generator), len(rows) > count
    for frame in stepwise(model.order, model.backbone, state, embed, draw, limit=model.units - given, guided=guided):
        units[..., given + frame.index] = frame.values
        yield units.clone()


def masked(model, asked, drawing, generator) -> Iterator[Tensor]:
    if model.config.order.length == "fixed":
        yield from _unmasked(model, asked, model.positions, drawing, generator)
        return
    # What has one length is drawn together; where a sound has ended there is silence.
    rows, count = asked.rows, asked.count
    chances = model.length(model.label(rows[:count])).softmax(-1)
    lengths = torch.multinomial(chances, 1, generator=generator).squeeze(1) + 1
    silence = model.tokenizer.silence()
    if not model.tokenizer.codebooks:
        silence = ((silence[:, None] - model.mean) / model.deviation).squeeze(1)
    units = silence[None, :, None].repeat(count, 1, model.positions)
    for length in lengths.unique().tolist():
        own = (lengths == length).nonzero().squeeze(1)
        some = Asked(rows.view(-1, count)[:, own].flatten(), len(own))
        for part in _unmasked(model, some, length, drawing, generator):
            units = units.index_put((own,), torch.cat([part, units[own, :, length:]], dim=2))
            yield units


def _unmasked(model, asked, positions, drawing, generator) -> Iterator[Tensor]:
    rows, count, books = asked.rows, asked.count, model.tokenizer.codebooks
    blanks = torch.zeros(count, positions, books or model.unit_width, device=rows.device)
    condition = model.condition(rows)

    def look(units: Tensor, blank: Tensor) -> Tensor:
        return model.look(model.embed(units, blank, hint=asked.hint).repeat(asked.repeats, 1, 1), condition)

    def sureness(z: Tensor, codes: Tensor) -> Tensor:
        return model.head.log_probability(z, codes).sum(-1)

    options = {"guided": len(rows) > count, "generator": generator, "noise": drawing.temperature}
    steps = drawing.order_steps or model.config.order.steps
    draw = head_of(model, drawing, generator)
    start = blanks.long() if books else blanks
    for known in unmask(model.order, start, look, draw, sureness, steps=steps, **options):
        units = known.units if not books else known.units.masked_fill(~known.known.unsqueeze(-1), -1)
        yield units.transpose(1, 2)


def scales(model, asked, drawing, generator) -> Iterator[Tensor]:
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

    draw, drawn = head_of(model, drawing, generator), []
    loop = grow(model.order, model.backbone, state, embed, draw, model.canvas, guided=len(rows) > count)
    for scale in loop:
        drawn.append(scale)
        unknown, sides = -1 if model.tokenizer.codebooks else 0, model.order.scales[len(drawn) :]
        rest = [scale.new_full((*scale.shape[:2], side, side), unknown) for side in sides]
        yield model.order.join([*drawn, *rest])


def together(model, asked, drawing, generator) -> Iterator[Tensor]:
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
