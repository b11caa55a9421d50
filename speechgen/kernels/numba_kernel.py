"""The kernel in numba (``wavenet_numba.py``): float32, wherever pip installs."""

import numpy as np

from speechgen.kernels.layout import Weights
from speechgen.kernels.precision import PANEL, quantise
from speechgen.kernels.wavenet_numba import run


class NumbaKernel:
    """A kernel (see ``kernels/base.py``) of any number of streams."""

    def __init__(self, weights: Weights, streams: int, temperature: float):
        self.weights, self.streams, self.temperature = weights, streams, float(temperature)
        self.packed = quantise(weights, "f32")
        residual = weights.skip.shape[1]
        self.rings = np.zeros((int(weights.dilations.sum()), streams, residual), np.float32)
        self.last = np.full((streams, 2), weights.classes // 2, np.int32)
        self.time = 0
        widest = max(max(matrix.shape) for matrix in weights.matrices)
        widest += -widest % PANEL
        self.scratch = np.zeros((6, streams, widest), np.float32)
        self.bits = np.zeros(widest, np.int32)

    def run(
        self, uniforms: np.ndarray, biases: np.ndarray, hold: int, offset: int, forced: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        w, drawing = self.weights, forced is None
        codes = np.zeros(uniforms.shape, np.int32) if drawing else forced
        logits = np.zeros((self.streams, 0 if drawing else uniforms.shape[1], w.choices), np.float32)
        network = w.dilations, self.packed.numbers, w.residual_bias, w.skip_bias, w.hidden_bias, w.head_bias
        inlet, outlet = (w.now, w.before, w.scalar), (w.choices, w.mixtures, w.least_log_scale, self.temperature)
        state = self.rings, self.last, self.time, self.scratch, self.bits, self.bits.view(np.float32)
        run(network, inlet, outlet, w.classes, state, uniforms, biases, hold, offset, drawing, codes, logits)
        self.time += uniforms.shape[1]
        return codes, logits
