"""The stepwise generation loop: the order plans, the backbone steps, the head draws."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import torch
from torch import Tensor

from speechgen.orders.layout import Order, Step


class StepwiseBackbone(Protocol):
    """Anything with the ``step`` of ``speechgen.nn.transformer.Transformer``."""

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]: ...


@dataclass(frozen=True)
class Frame:
    """One whole frame, as soon as it is made: values (N, K) long or (N, D) float.

    ``alive`` (N,) bool: False for rows that ended earlier, whose values are special. ``ended`` (N,) bool: rows whose
    last frame this is because ``stop`` said so; a row alive in the final frame and not ended met the length guard.
    """

    index: int
    values: Tensor
    alive: Tensor
    ended: Tensor


@torch.no_grad()
def stepwise(
    order: Order,
    backbone: StepwiseBackbone,
    state: Any,
    embed: Callable[[int, Tensor | None], Tensor],
    draw: Callable[[Tensor, Tensor | None, Step], Tensor],
    *,
    limit: int,
    stop: Callable[[Tensor, Tensor, Step], Tensor] | None = None,
    guided: bool = False,
) -> Iterator[Frame]:
    """Generate up to ``limit`` frames for N rows, each yielded the moment it is whole.

    embed(index, previous unit (N, K') | (N, D) | None) -> (R, any, C): the backbone's input for a step; for step 0 it
    may be a prompt of any length. R is N, or 2 N when ``guided``: the conditioned rows, then the null ones.
    draw(z (N, C), z_null (N, C) | None, step) -> unit: a head's ``sample`` with its options.
    stop(z (N, C), unit, step) -> (N,) bool: True when ``step.decides`` is the row's last frame.
    The state must have room for the prompt and ``order.steps(limit)`` more steps.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1 frame, not {limit}")
    unit: Tensor | None = None
    recent: deque[Tensor] = deque(maxlen=order.memory)
    for index in count():
        z, state = backbone.step(embed(index, unit), state)
        z, z_null = z[:, -1].chunk(2) if guided else (z[:, -1], None)
        if index == 0:
            ends = torch.full((z.shape[0],), limit, device=z.device)
            stopped = torch.zeros_like(ends, dtype=torch.bool)
        step = order.plan(index, ends)
        unit = draw(z, z_null, step).masked_fill(~step.real, order.special)
        recent.append(unit)
        if stop is not None and step.decides is not None:
            last_now = stop(z, unit, step) & (step.decides < ends)
            ends = ends.masked_fill(last_now, step.decides + 1)
            stopped = stopped | last_now
        if step.completes is not None:
            ended = stopped & (ends == step.completes + 1)
            yield Frame(step.completes, order.frame(recent), alive=step.completes < ends, ended=ended)
            if step.completes + 1 >= ends.max():
                return
