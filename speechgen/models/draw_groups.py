"""Drawing in orders that go through groups of units: codebook after codebook, or frame after frame."""

from collections.abc import Iterator

import torch
from torch import Tensor

from speechgen.models.draw_head import head_of
from speechgen.models.draw_orders import Asked
from speechgen.models.generator import Generator
from speechgen.orders.frames import reel
from speechgen.orders.layout import Step
from speechgen.orders.levels import refine
from speechgen.orders.stepwise import stepwise


def levels(model: Generator, asked: Asked, drawing, generator: torch.Generator) -> Iterator[Tensor]:
    """Codes (N, K, S) as far as they are known: the first codebook, from the left or masked, then the others."""
    order, books, positions = model.order, model.tokenizer.codebooks, model.positions
    rows, count, many, draw = asked.rows, asked.count, asked.repeats, head_of(model, drawing, generator)
    guided = many > 1
    units = torch.full((count, positions, books), order.special, device=rows.device)

    def condition(level: int) -> Tensor:
        return model.condition(rows, torch.full((len(rows),), level / books, device=rows.device))

    if order.config.first == "raster":
        state = model.backbone.initial_state(len(rows), positions, condition=condition(0))

        def embed(index: int, unit: Tensor | None) -> Tensor:
            shown = torch.full((count, 1, books), order.special, device=rows.device)
            if unit is not None:
                shown[:, 0, 0] = unit[:, 0]
            blank = torch.full((count, 1), index == 0, device=rows.device)
            return model.embed(shown, blank, index).repeat(many, 1, 1)

        def draw_first(z: Tensor, z_null: Tensor | None, step: Step) -> Tensor:
            return draw(z, z_null)[:, :1]

        for frame in stepwise(order.first, model.backbone, state, embed, draw_first, limit=positions, guided=guided):
            units[:, frame.index, 0] = frame.values[:, 0]
            yield _known(units, order.special)

    def look(shown: Tensor, level: int) -> Tensor:
        blank = torch.zeros(shown.shape[:2], dtype=torch.bool, device=rows.device)
        visible = order.visible(level, positions, rows.device)
        return model.look(model.embed(shown, blank).repeat(many, 1, 1), condition(level), visible)

    def draw_level(z: Tensor, z_null: Tensor | None, level: int, temperature: float | None) -> Tensor:
        return draw(z, z_null, **({} if temperature is None else {"temperature": temperature}))[:, level]

    def sureness(z: Tensor, codes: Tensor, level: int) -> Tensor:
        return model.head.log_probability(z, codes[:, None].expand(-1, books))[:, level]

    options = {"guided": guided, "generator": generator, "noise": drawing.temperature}
    for known in refine(order, units, look, draw_level, sureness, **options):
        yield _known(known, order.special)


def frames(model: Generator, asked: Asked, drawing, generator: torch.Generator) -> Iterator[Tensor]:
    """Units (N, K | D, S) as far as they are known, frame by frame."""
    rows, count, draw = asked.rows, asked.count, head_of(model, drawing, generator)
    books, condition = model.tokenizer.codebooks, model.condition(rows)
    shape = (count, model.units, books or model.unit_width)
    unknown = model.tokenizer.codebook_size if books else 0.0
    blanks = torch.full(shape, unknown, device=rows.device)
    visible = model.order.visible(rows.device)

    def look(inputs: Tensor, blank: Tensor) -> Tensor:
        return model.look(model.embed(inputs, blank).repeat(asked.repeats, 1, 1), condition, visible)

    options = {"guided": len(rows) > count, "generator": generator}
    steps = drawing.order_steps or model.config.order.steps
    for units in reel(model.order, blanks, look, draw, steps=steps, **options):
        yield _known(units, unknown) if books else units.transpose(1, 2)


def _known(units: Tensor, special: int) -> Tensor:
    """(N, S, K) to (N, K, S), with -1 for what is not known."""
    return units.masked_fill(units == special, -1).transpose(1, 2)
