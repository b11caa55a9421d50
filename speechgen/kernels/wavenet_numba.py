"""The kernel in numba: float32, wherever pip installs.

All memory is taken before the loop. Products walk through a matrix eight rows at a time, so that a sum is loaded and
stored once for eight multiplications; streams share the rows while these are in the nearest cache.
"""

import math

import numpy as np
from numba import njit

from speechgen.kernels.layout import Weights

# Sums may be reordered and multiplications fused; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "arcp", "nsz"}
LOG2E = np.float32(math.log2(math.e))
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(math.log(2) - 0.693359375)  # the first has few bits
INVERSE_FACTORIALS = tuple(np.float32(1 / math.factorial(k)) for k in range(7))


class NumbaKernel:
    """A kernel (see ``kernels/base.py``) of any number of streams."""

    def __init__(self, weights: Weights, streams: int, temperature: float):
        self.weights, self.streams, self.temperature = weights, streams, float(temperature)
        residual = weights.output.shape[1]
        self.rings = np.zeros((int(weights.dilations.sum()), streams, residual), np.float32)
        self.last = np.full((streams, 2), weights.classes // 2, np.int32)
        self.time = 0
        widest = max(max(matrix.shape) for matrix in weights.matrices)
        self.scratch = np.zeros((5, streams, widest), np.float32)
        self.bits = np.zeros(widest, np.int32)

    def run(
        self, uniforms: np.ndarray, biases: np.ndarray, hold: int, offset: int, forced: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        w, drawing = self.weights, forced is None
        codes = np.zeros(uniforms.shape, np.int32) if drawing else forced
        logits = np.zeros((self.streams, 0 if drawing else uniforms.shape[1], w.choices), np.float32)
        network = w.dilations, w.dilated, w.output, w.output_bias, w.hidden, w.hidden_bias, w.head, w.head_bias
        inlet, outlet = (w.now, w.before, w.scalar), (w.choices, w.mixtures, w.least_log_scale, self.temperature)
        state = self.rings, self.last, self.time, self.scratch, self.bits, self.bits.view(np.float32)
        _run(network, inlet, outlet, w.classes, state, uniforms, biases, hold, offset, drawing, codes, logits)
        self.time += uniforms.shape[1]
        return codes, logits


@njit(cache=True, fastmath=FAST)
def _run(network, inlet, outlet, classes, state, uniforms, biases, hold, offset, drawing, codes, logits):
    dilations, dilated, output, output_bias, hidden, hidden_bias, head, head_bias = network
    rings, last, time, scratch, bits, powers = state
    streams, residual = rings.shape[1], rings.shape[2]
    x, gates, sums, skips, wide = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    for t in range(uniforms.shape[1]):
        frame = (offset + t) // hold
        _enter(inlet, classes, last, x)
        skips[:] = 0
        base = 0
        for layer in range(len(dilations)):
            past = rings[base + (time + t) % dilations[layer]]
            base += dilations[layer]
            matrix = dilated[layer]
            for s in range(streams):
                for c in range(2 * residual):
                    sums[s, c] = biases[s, frame, layer, c]
            _add_product(past, matrix[:residual], sums)
            _add_product(x, matrix[residual:], sums)
            for s in range(streams):
                for c in range(residual):
                    past[s, c] = x[s, c]
                _gate(sums[s], gates[s], bits, powers, residual)
            _start(output_bias[layer], sums)
            _add_product(gates, output[layer], sums)
            for s in range(streams):
                for c in range(residual):
                    x[s, c] += sums[s, c]
                for c in range(output.shape[2] - residual):
                    skips[s, c] += sums[s, residual + c]
        for s in range(streams):
            for c in range(hidden.shape[0]):
                skips[s, c] = max(skips[s, c], np.float32(0))
        _start(hidden_bias, wide)
        _add_product(skips, hidden, wide)
        for s in range(streams):
            for c in range(head.shape[0]):
                wide[s, c] = max(wide[s, c], np.float32(0))
        _start(head_bias, sums)
        _add_product(wide, head, sums)
        for s in range(streams):
            if drawing:
                codes[s, t] = _draw(sums[s], outlet, classes, uniforms[s, t], bits, powers)
            else:
                for c in range(logits.shape[2]):
                    logits[s, t, c] = sums[s, c]
            last[s, 1] = last[s, 0]
            last[s, 0] = codes[s, t]


@njit(fastmath=FAST)
def _enter(inlet, classes, last, x):
    """The first convolution's output from the last two codes."""
    now, before, scalar = inlet
    for s in range(x.shape[0]):
        if scalar:
            step = np.float32(2) / np.float32(classes - 1)
            first, second = last[s, 0] * step - np.float32(1), last[s, 1] * step - np.float32(1)
            for c in range(now.shape[1]):
                x[s, c] = now[0, c] * first + now[1, c] + before[0, c] * second + before[1, c]
        else:
            for c in range(now.shape[1]):
                x[s, c] = now[last[s, 0], c] + before[last[s, 1], c]


@njit(fastmath=FAST)
def _start(bias, sums):
    for s in range(sums.shape[0]):
        for c in range(len(bias)):
            sums[s, c] = bias[c]


@njit(fastmath=FAST)
def _add_product(x, matrix, sums):
    """sums (S, out) += x (S, in) @ matrix (in, out)."""
    for i in range(0, matrix.shape[0], 8):
        for s in range(x.shape[0]):
            x0, x1, x2, x3 = x[s, i], x[s, i + 1], x[s, i + 2], x[s, i + 3]
            x4, x5, x6, x7 = x[s, i + 4], x[s, i + 5], x[s, i + 6], x[s, i + 7]
            for o in range(matrix.shape[1]):
                sums[s, o] += (
                    (x0 * matrix[i, o] + x1 * matrix[i + 1, o])
                    + (x2 * matrix[i + 2, o] + x3 * matrix[i + 3, o])
                    + (x4 * matrix[i + 4, o] + x5 * matrix[i + 5, o])
                    + (x6 * matrix[i + 6, o] + x7 * matrix[i + 7, o])
                )


@njit(fastmath=FAST)
def _gate(sums, gates, bits, powers, width):
    """gates = tanh(first half) * sigmoid(second half), by way of (1 - e) / ((1 + e) (1 + f)); sums are lost."""
    for c in range(width):
        sums[c] *= np.float32(-2)
    for c in range(width, 2 * width):
        sums[c] *= np.float32(-1)
    _exponentiate(sums, bits, powers, 2 * width, np.float32(40))
    for c in range(width):
        e, f = sums[c], sums[width + c]
        gates[c] = (np.float32(1) - e) / ((np.float32(1) + e) * (np.float32(1) + f))


@njit(fastmath=FAST)
def _exponentiate(x, bits, powers, count, limit):
    """x = e ** x for x clipped to +-limit: 2 ** k by its bits, the rest (at most half of log 2) by its series."""
    for c in range(count):
        value = min(max(x[c], -limit), limit)
        k = np.floor(value * LOG2E + np.float32(0.5))
        r = value - k * LN2_HIGH - k * LN2_LOW
        total = INVERSE_FACTORIALS[6]
        total = total * r + INVERSE_FACTORIALS[5]
        total = total * r + INVERSE_FACTORIALS[4]
        total = total * r + INVERSE_FACTORIALS[3]
        total = total * r + INVERSE_FACTORIALS[2]
        total = total * r + INVERSE_FACTORIALS[1]
        x[c] = total * r + INVERSE_FACTORIALS[0]
        bits[c] = (np.int32(k) + np.int32(127)) << np.int32(23)
    for c in range(count):
        x[c] *= powers[c]


@njit(fastmath=FAST)
def _draw(logits, outlet, classes, uniform, bits, powers):
    """The code that a uniform in [0, 1) picks; logits are lost."""
    choices, mixtures, least_log_scale, temperature = outlet
    count = mixtures if mixtures else choices
    best = 0
    for c in range(1, count):
        if logits[c] > logits[best]:
            best = c
    if temperature == 0:
        if mixtures == 0:
            return best
        return _nearest(logits[mixtures + best], classes)
    highest, sharpness = logits[best], np.float32(1 / temperature)
    for c in range(count):
        logits[c] = (logits[c] - highest) * sharpness
    _exponentiate(logits, bits, powers, count, np.float32(87))
    total = 0.0
    for c in range(count):
        total += np.float64(logits[c])
    target, end, chosen = uniform * total, 0.0, count - 1
    for c in range(count - 1):
        end += np.float64(logits[c])
        if end > target:
            chosen = c
            break
    if mixtures == 0:
        return chosen
    if chosen == count - 1:
        end = total
    rest = 1 - (end - target) / np.float64(logits[chosen])
    rest = min(max(rest, 1e-9), 1 - 1e-9)
    log_scale = min(max(np.float64(logits[2 * mixtures + chosen]), least_log_scale), math.log(10.0))
    mean = np.float64(logits[mixtures + chosen])
    return _nearest(mean + temperature * math.exp(log_scale) * (math.log(rest) - math.log1p(-rest)), classes)


@njit
def _nearest(value, classes):
    """The code of the step of the scale that is nearest to a value."""
    return int(math.floor((min(max(value, -1.0), 1.0) + 1) * ((classes - 1) / 2) + 0.5))
