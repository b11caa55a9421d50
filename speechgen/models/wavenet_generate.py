"""Generation with a WaveNet, in three ways that make the same samples from the same seed.

*naive* computes the whole receptive field again for every sample, *cached* keeps each layer's past in ring buffers,
*compiled* does that in a kernel for one core (``speechgen/kernels``), with weights of 32, 16 or 8 bits.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from speechgen.errors import UserError, nearest
from speechgen.kernels.choice import COMPILED, fastest, make_kernel
from speechgen.kernels.layout import pack, pack_biases
from speechgen.models.wavenet import WaveNet
from speechgen.nn.wavenet import RingBuffers
from speechgen.orders.layout import Step
from speechgen.orders.raster import Raster
from speechgen.orders.stepwise import stepwise

METHODS = ("naive", "cached", *COMPILED)
LONGEST_SECONDS = 3600


class Engine(Protocol):
    """One way of drawing the next samples of some streams, going on where it stopped."""

    def advance(self, uniforms: Tensor) -> Tensor:
        """The codes (streams, n) that uniforms (streams, n) in [0, 1) pick."""


def generate(
    model: WaveNet,
    samples: int,
    labels: dict[str, str] | dict[str, Tensor] | None = None,
    mel: Tensor | None = None,
    streams: int = 1,
    method: str = "fastest",
    temperature: float = 1.0,
    seed: int = 0,
    chunk: int | None = None,
) -> Iterator[Tensor]:
    """Make so many samples in chunks (streams, up to ``chunk``) of waves in [-1, 1], each yielded as soon as it is made.

    labels: names, the same for all streams, or ids (streams,). mel: (bands, frames) or (streams, bands, frames), of
    at least ``samples / hop`` frames. ``streams`` are made together; stream i is what seed + i makes alone. ``method``:
    one of METHODS, or "fastest" for the best this machine has. chunk: a tenth of a second unless given.
    Raises UserError at once for what cannot be made.
    """
    rate = model.config.sample_rate
    if samples < 1:
        raise UserError(f"{samples} samples: ask for at least one")
    if samples > LONGEST_SECONDS * rate:
        raise UserError(f"{samples / rate:.0f} s: at most {LONGEST_SECONDS} s are made at once")
    if streams < 1:
        raise UserError(f"{streams} streams: ask for at least one")
    if not 0 <= temperature < float("inf"):
        raise UserError(f"temperature {temperature}: must be 0 or more")
    condition = condition_of(model, labels, mel, streams)
    if mel is not None and condition.shape[-1] * model.condition.hold < samples:
        seconds = condition.shape[-1] * model.condition.hold / rate
        raise UserError(f"the mel lasts {seconds:.2f} s, shorter than the {samples / rate:.2f} s asked for")
    engine = make_engine(model, condition, streams, method, temperature)
    return _chunks(model, engine, samples, streams, seed, chunk or max(1, rate // 10))


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


@torch.no_grad()
def condition_of(
    model: WaveNet, labels: dict[str, str] | dict[str, Tensor] | None, mel: Tensor | None, streams: int
) -> Tensor | None:
    """Labels by name or by id, and a mel for one or all streams, as the condition (streams, C, frames)."""
    names = {kind: name for kind, name in (labels or {}).items() if isinstance(name, str)}
    ids = {kind: value for kind, value in (labels or {}).items() if kind not in names} | model.label_ids(names)
    if mel is not None and mel.dim() == 2:
        mel = mel.unsqueeze(0)
    condition = model.condition(ids, mel)
    if condition is None:
        return None
    if condition.shape[0] not in (1, streams):
        raise UserError(f"conditions for {condition.shape[0]} streams, but {streams} are asked for")
    return condition.expand(streams, -1, -1)


def _chunks(model: WaveNet, engine: Engine, samples: int, streams: int, seed: int, chunk: int) -> Iterator[Tensor]:
    generators = [torch.Generator().manual_seed(seed + stream) for stream in range(streams)]
    for start in range(0, samples, chunk):
        size = min(chunk, samples - start)
        draws = [torch.rand(size, generator=generator, dtype=torch.float64) for generator in generators]
        yield model.tokenizer.decode(engine.advance(torch.stack(draws)))


class Naive:
    """The receptive field again for every sample: what made a second of audio take 90 minutes."""

    def __init__(self, model: WaveNet, condition: Tensor | None, streams: int, temperature: float):
        self.model, self.condition, self.temperature = model, condition, temperature
        self.codes = torch.zeros(streams, 0, dtype=torch.long)

    @torch.no_grad()
    def advance(self, uniforms: Tensor) -> Tensor:
        for uniform in uniforms.unbind(1):
            self.codes = torch.cat([self.codes, self._next(uniform)], dim=1)
        return self.codes[:, -uniforms.shape[1] :]

    def _next(self, uniform: Tensor) -> Tensor:
        model, hold = self.model, self.model.condition.hold
        now = self.codes.shape[1]
        # The window begins where a frame of the condition does.
        start = max(0, now - model.receptive_field) // hold * hold
        window = torch.cat([self.codes[:, start:], self.codes.new_zeros(self.codes.shape[0], 1)], dim=1)
        condition = self.condition
        if condition is not None and condition.shape[-1] > 1:
            condition = condition[..., start // hold : now // hold + 1]
        logits = model.head.logits(model(window, condition)[:, -1])
        return model.head.draw_at(logits, uniform[:, None], self.temperature)


class Cached:
    """Sample by sample in PyTorch, by the loop of the order room over ring buffers."""

    def __init__(self, model: WaveNet, condition: Tensor | None, streams: int, temperature: float):
        self.model, self.condition, self.temperature = model, condition, temperature
        self.before = torch.full((streams,), model.tokenizer.silence)
        self.uniforms: Iterator[Tensor] = iter(())
        order = Raster(1, model.config.classes)
        state = model.stack.initial_state(streams)
        endless = torch.iinfo(torch.long).max
        self.frames = stepwise(order, self, state, self._embed, self._draw, limit=endless)

    @torch.no_grad()
    def advance(self, uniforms: Tensor) -> Tensor:
        self.uniforms = iter(uniforms.unbind(1))
        return torch.cat([next(self.frames).values for _ in range(uniforms.shape[1])], dim=1)

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
        return self.model.head.draw_at(self.model.head.logits(z), next(self.uniforms)[:, None], self.temperature)


class Compiled:
    """Sample by sample in a kernel; the condition's part of every layer is computed before, frame by frame."""

    def __init__(self, model: WaveNet, condition: Tensor | None, streams: int, method: str, temperature: float):
        self.model, self.condition, self.time = model, condition, 0
        weights = pack(model.input, model.stack, model.hidden, model.head)
        self.kernel = make_kernel(method, weights, streams, temperature)

    def advance(self, uniforms: Tensor) -> Tensor:
        codes, _ = self._run(uniforms)
        return torch.from_numpy(codes).long()

    def force(self, codes: Tensor) -> Tensor:
        """The head's parameters (streams, n, P) for the next n samples, given that they are codes (streams, n)."""
        _, logits = self._run(torch.zeros(codes.shape, dtype=torch.float64), codes.int().numpy())
        return torch.from_numpy(logits)

    @torch.no_grad()
    def _run(self, uniforms: Tensor, forced: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        start, end, hold = self.time, self.time + uniforms.shape[1], self.model.condition.hold
        self.time = end
        condition, offset = self.condition, start % hold
        if condition is None or condition.shape[-1] == 1:
            hold = offset + uniforms.shape[1]  # one frame for all
        else:
            condition = condition[..., start // hold : -(-end // hold)]
        biases = pack_biases(self.model.stack.biases(condition, uniforms.shape[0]))
        return self.kernel.run(uniforms.numpy(), biases, hold, offset, forced)
