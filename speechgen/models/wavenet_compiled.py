"""Generating with a WaveNet in a kernel for one core (``speechgen/kernels``)."""

import numpy as np
import torch
from torch import Tensor

from speechgen.kernels.choice import make_kernel
from speechgen.kernels.layout import pack, pack_biases
from speechgen.models.wavenet import WaveNet


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
