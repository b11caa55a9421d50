"""The ways of generating with a WaveNet; ``wavenet_generate`` chooses one.

*naive* computes the whole receptive field again for every sample, *cached* keeps each layer's past in ring buffers,
*compiled* does that in a kernel for one core (``speechgen/kernels``), with weights of 32, 16 or 8 bits.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from speechgen.errors import UserError, nearest
from speechgen.kernels.choice import COMPILED, fastest
from speechgen.models.wavenet import WaveNet
from speechgen.models.wavenet_compiled import Compiled
from speechgen.nn.wavenet import RingBuffers
from speechgen.orders.layout import Step
from speechgen.orders.raster import Raster
from speechgen.orders.stepwise import stepwise

METHODS = ("naive", "cached", *COMPILED)


class Engine(Protocol):
    """Makes the next samples of some streams, going on where it stopped."""

    def advance(self, uniforms: Tensor) -> Tensor:
        """The codes (streams, n) that uniforms (streams, n) float64 in [0, 1) pick."""

    def force(self, codes: Tensor) -> Tensor:
        """The head's parameters (streams, n, P) for the next n samples, which turn out to be codes (streams, n)."""


def make_engine(
    model: WaveNet, condition: Tensor | None, streams: int, method: str = "fastest", temperature: float = 1.0
) -> Engine:
    """What generates by a method, for a condition (streams, C, frames). Raises UserError where it is not to be had."""
    method = fastest() if method == "fastest" else method
    if method == "naive":
        return Naive(model, condition, streams, temperature)
    if method == "cached":
        return Cached(model, condition, streams, temperature)
    if method in COMPILED:
        return Compiled(model, condition, streams, method, temperature)
    raise UserError(f"method {method}: no such way of generating{nearest(method, (*METHODS, 'fastest'))}")


class Naive:
    """The receptive field again for every sample: what made a second of audio take 90 minutes."""

    def __init__(self, model: WaveNet, condition: Tensor | None, streams: int, temperature: float):
        self.model, self.condition, self.temperature = model, condition, temperature
        self.codes = torch.zeros(streams, 0, dtype=torch.long)

    def advance(self, uniforms: Tensor) -> Tensor:
        for uniform in uniforms.split(1, dim=1):
            drawn = self.model.head.draw_at(self._logits(), uniform, self.temperature)
            self.codes = torch.cat([self.codes, drawn], dim=1)
        return self.codes[:, -uniforms.shape[1] :]

    def force(self, codes: Tensor) -> Tensor:
        logits = []
        for code in codes.split(1, dim=1):
            logits.append(self._logits())
            self.codes = torch.cat([self.codes, code], dim=1)
        return torch.cat(logits, dim=1)

    @torch.no_grad()
    def _logits(self) -> Tensor:
        model, hold = self.model, self.model.condition.hold
        now = self.codes.shape[1]
        # The window begins where a frame of the condition does.
        start = max(0, now - model.receptive_field) // hold * hold
        window = torch.cat([self.codes[:, start:], self.codes.new_zeros(self.codes.shape[0], 1)], dim=1)
        condition = self.condition
        if condition is not None and condition.shape[-1] > 1:
            condition = condition[..., start // hold : now // hold + 1]
        return model.head.logits(model(window, condition)[:, -1])


class Cached:
    """Sample by sample in PyTorch, by the loop of the order room over ring buffers."""

    def __init__(self, model: WaveNet, condition: Tensor | None, streams: int, temperature: float):
        self.model, self.condition, self.temperature = model, condition, temperature
        self.before = torch.full((streams,), model.tokenizer.silence)
        self.choose: Callable[[Tensor], Tensor] | None = None  # parameters (streams, 1, P) to codes (streams, 1)
        order, state = Raster(1, model.config.classes), model.stack.initial_state(streams)
        endless = torch.iinfo(torch.long).max
        self.frames = stepwise(order, self, state, self._embed, self._draw, limit=endless)

    def advance(self, uniforms: Tensor) -> Tensor:
        places = iter(uniforms.split(1, dim=1))
        self.choose = lambda logits: self.model.head.draw_at(logits, next(places), self.temperature)
        return torch.cat([next(self.frames).values for _ in range(uniforms.shape[1])], dim=1)

    def force(self, codes: Tensor) -> Tensor:
        seen: list[Tensor] = []
        given = iter(codes.split(1, dim=1))

        def choose(logits: Tensor) -> Tensor:
            seen.append(logits)
            return next(given)

        self.choose = choose
        for _ in range(codes.shape[1]):
            next(self.frames)
        return torch.cat(seen, dim=1)

    def step(self, x: Tensor, state: RingBuffers) -> tuple[Tensor, RingBuffers]:
        """The backbone of the loop: x (streams, 1, R) -> z (streams, 1, hidden)."""
        condition = self.condition
        if condition is not None:
            condition = condition[..., min(state.time // self.model.condition.hold, condition.shape[-1] - 1)]
        skips, state = self.model.stack.step(x[:, 0], state, condition)
        return self.model.finish(skips).unsqueeze(1), state

    def _embed(self, index: int, unit: Tensor | None) -> Tensor:
        now = torch.full_like(self.before, self.model.tokenizer.silence) if unit is None else unit[:, 0]
        x = self.model.input(now, self.before).unsqueeze(1)
        self.before = now
        return x

    def _draw(self, z: Tensor, z_null: Tensor | None, step: Step) -> Tensor:
        return self.choose(self.model.head.logits(z))
