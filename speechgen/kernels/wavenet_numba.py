"""The loop in numba: float32, wherever pip installs. ``NumbaKernel`` calls it.

Everything compiled lies in this one file, because numba's cache notices a change only in the file of the function
that was called.
"""

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# Sums may be reordered and multiplications fused; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "arcp", "nsz"}
LOG2E = np.float32(math.log2(math.e))
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(math.log(2) - 0.693359375)  # the first has few bits
INVERSE_FACTORIALS = tuple(np.float32(1 / math.factorial(k)) for k in range(7))
LANES, BLOCKS = 16, 4
PANEL = LANES * BLOCKS


@njit(cache=True, fastmath=FAST)
def run(network, inlet, outlet, classes, state, uniforms, biases, hold, offset, drawing, codes, logits):
    """Fill codes (and logits, when not drawing); shapes as in ``kernels/base.py``, all memory taken before."""
    dilations, weights, residual_bias, skip_bias, hidden_bias, head_bias = network
    rings, last, time, scratch, bits, powers = state
    streams, residual, layers, hidden = rings.shape[1], rings.shape[2], len(dilations), len(hidden_bias)
    x, gates, skips, wide = scratch[0], scratch[1], scratch[2], scratch[3]
    for t in range(uniforms.shape[1]):
        frame = (offset + t) // hold
        base, place = 0, weights.ctypes.data
        _enter(inlet, classes, last, x)
        _start(skip_bias, skips)
        past = rings[(time + t) % dilations[0]]
        _start_each(biases, frame, 0, scratch[4])
        place = _add_product(place, past, residual, 2 * residual, scratch[4])
        for layer in range(layers):
            sums, next_sums = scratch[4 + layer % 2], scratch[5 - layer % 2]
            place = _add_product(place, x, residual, 2 * residual, sums)
            for s in range(streams):
                for c in range(residual):
                    past[s, c] = x[s, c]
                _gate(sums[s], gates[s], bits, powers, residual)
            if layer + 1 < layers:
                base += dilations[layer]
                past = rings[base + (time + t) % dilations[layer + 1]]
                _start_each(biases, frame, layer + 1, next_sums)
                place = _add_product(place, past, residual, 2 * residual, next_sums)
                for s in range(streams):
                    for c in range(residual):
                        x[s, c] += residual_bias[layer, c]
                place = _add_product(place, gates, residual, residual, x)
            place = _add_product(place, gates, residual, len(skip_bias), skips)
        _start(hidden_bias, wide)
        _rectify(skips, len(skip_bias))
        place = _add_product(place, skips, len(skip_bias), hidden, wide)
        _start(head_bias, skips)
        _rectify(wide, hidden)
        _add_product(place, wide, hidden, len(head_bias), skips)
        for s in range(streams):
            if drawing:
                codes[s, t] = _draw(skips[s], outlet, classes, uniforms[s, t], bits, powers)
            else:
                for c in range(logits.shape[2]):
                    logits[s, t, c] = skips[s, c]
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
def _start_each(biases, frame, layer, sums):
    for s in range(sums.shape[0]):
        for c in range(biases.shape[3]):
            sums[s, c] = biases[s, frame, layer, c]


@njit(fastmath=FAST)
def _rectify(x, width):
    for s in range(x.shape[0]):
        for c in range(width):
            x[s, c] = max(x[s, c], np.float32(0))


@njit(fastmath=FAST)
def _start(bias, sums):
    for s in range(sums.shape[0]):
        for c in range(len(bias)):
            sums[s, c] = bias[c]


@njit(fastmath=FAST)
def _add_product(weights, x, inputs, outputs, sums):
    """sums (S, out) += x (S, in) @ the panels that begin at an address; returns where the next ones begin."""
    for first in range(0, outputs, PANEL):
        for s in range(x.shape[0]):
            row, to = x.ctypes.data + 4 * s * x.shape[1], sums.ctypes.data + 4 * (s * sums.shape[1] + first)
            add_panel(weights, row, to, inputs)
        weights += 4 * PANEL * inputs
    return weights


@intrinsic
def add_panel(typing, weights, x, sums, inputs):
    """sums (64,) += x (inputs,) @ weights (inputs, 64), all float32, given by address; inputs is even.

    Each output has two running sums, for even and for odd inputs, so that an addition need not wait for the last.
    """
    return types.void(types.intp, types.intp, types.intp, types.intp), _build_panel


def _build_panel(context, builder, signature, arguments):
    number, whole = ir.FloatType(), arguments[3].type
    vector = ir.VectorType(number, LANES)
    nothing, first_lane = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    weights, x = (builder.inttoptr(argument, number.as_pointer()) for argument in arguments[:2])
    places = builder.inttoptr(arguments[2], vector.as_pointer())
    places = [builder.gep(places, [whole(block)]) for block in range(BLOCKS)]
    fused = ("contract",)  # a multiplication and an addition may become one instruction
    # Sums in memory of the function become registers: LLVM's first pass does that.
    totals = [[cgutils.alloca_once(builder, vector) for _ in range(BLOCKS)] for _ in range(2)]
    for block in range(BLOCKS):
        builder.store(builder.load(places[block], align=4), totals[0][block])
        builder.store(ir.Constant(vector, None), totals[1][block])
    with cgutils.for_range_slice(builder, whole(0), arguments[3], whole(2), whole) as (index, _):
        for part in range(2):
            row = builder.add(index, whole(part))
            start = builder.gep(weights, [builder.mul(row, whole(PANEL))])
            start = builder.bitcast(start, vector.as_pointer())
            value = builder.insert_element(nothing, builder.load(builder.gep(x, [row])), whole(0))
            value = builder.shuffle_vector(value, nothing, first_lane)
            for block in range(BLOCKS):
                weight = builder.load(builder.gep(start, [whole(block)]), align=4)
                total = totals[part][block]
                product = builder.fmul(weight, value, flags=fused)
                builder.store(builder.fadd(builder.load(total), product, flags=fused), total)
    for block in range(BLOCKS):
        builder.store(builder.fadd(*(builder.load(totals[part][block]) for part in range(2))), places[block], align=4)
    return context.get_dummy_value()


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
