"""The stepwise generation loop: the order plans, the backbone steps, the head draws."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    walk = Walk(order, embed, limit, stop)
    while not walk.done:
        z, state = backbone.step(walk.feed(), state)
        z, z_null = z[:, -1].chunk(2) if guided else (z[:, -1], None)
        frame = walk.take(z, draw(z, z_null, walk.plan(z)))
        if frame is not None:
            yield frame


class Walk:
    """Where one generation stands between two steps; arguments as of ``stepwise``, which walks it to its end."""

    def __init__(
        self,
        order: Order,
        embed: Callable[[int, Tensor | None], Tensor],
        limit: int,
        stop: Callable[[Tensor, Tensor, Step], Tensor] | None = None,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1 frame, not {limit}")
        self.order, self.embed, self.limit, self.stop = order, embed, limit, stop
        self.index = 0
        self.done = False
        self.unit: Tensor | None = None  # the latest
        self._ends: Tensor | None = None
        self._recent: deque[Tensor] = deque(maxlen=order.memory)
        self._step: Step | None = None

    def feed(self) -> Tensor:
        """The backbone's input for the next step: (R, any, C)."""
        return self.embed(self.index, self.unit)

    def plan(self, z: Tensor, ahead: int = 0) -> Step:
        """What the next step draws, for z (N, C); or what one so many steps ``ahead`` will, if no row ends before."""
        if self._ends is None:
            self._ends = torch.full((z.shape[0],), self.limit, device=z.device)
            self._stopped = torch.zeros_like(self._ends, dtype=torch.bool)
        step = self.order.plan(self.index + ahead, self._ends)
        if not ahead:
            self._step = step
        return step

    def take(self, z: Tensor, unit: Tensor) -> Frame | None:
        """Take the unit that was drawn for the planned step; returns the frame that it completes, if it does."""
        step = self._step
        self.unit = unit.masked_fill(~step.real, self.order.special)
        self._recent.append(self.unit)
        self.index += 1
        if self.stop is not None and step.decides is not None:
            last_now = self.stop(z, self.unit, step) & (step.decides < self._ends)
            self._ends = self._ends.masked_fill(last_now, step.decides + 1)
            self._stopped = self._stopped | last_now
        if step.completes is None:
            return None
        self.done = bool(step.completes + 1 >= self._ends.max())
        ended = self._stopped & (self._ends == step.completes + 1)
        return Frame(step.completes, self.order.frame(self._recent), alive=step.completes < self._ends, ended=ended)
