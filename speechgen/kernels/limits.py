"""What one core allows: the products of a network alone, with no gates, no memory of the past and no draws."""

import ctypes
import time

import numpy as np

from speechgen.kernels.build import levels, load_library
from speechgen.kernels.precision import PANEL, aligned, pack_bf16, pack_f32, pack_int8

PACK = {"f32": pack_f32, "bf16": pack_bf16, "int8": pack_int8}


def compute_limit(precision: str, seconds: float = 0.2) -> float:
    """Multiply-adds per second by weights that lie in the nearest cache, each used for four streams."""
    return _measure(precision, matrices=1, streams=4, seconds=seconds)[0]


def memory_limit(precision: str, multiply_adds: int, seconds: float = 0.2) -> float:
    """Bytes of weights per second that one stream gets through, when there are as many as a network has."""
    return _measure(precision, matrices=-(-multiply_adds // PANEL**2), streams=1, seconds=seconds)[1]


def _measure(precision: str, matrices: int, streams: int, seconds: float) -> tuple[float, float]:
    random = np.random.default_rng(0).normal(size=(matrices, PANEL, PANEL)).astype(np.float32)
    numbers, scales, corrections = (aligned(part.reshape(-1)) for part in PACK[precision](random))
    entry = getattr(load_library(levels()[0]), f"products_{precision}")
    entry.argtypes = [*[ctypes.c_void_p] * 3, ctypes.c_int, ctypes.c_int64, ctypes.c_int]
    entry.restype = ctypes.c_float
    addresses = [array.ctypes.data for array in (numbers, scales, corrections)]
    times, best = 1, 0.0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        before = time.perf_counter()
        entry(*addresses, matrices, times, streams)
        took = time.perf_counter() - before
        best = max(best, times / took)
        if took < seconds / 20:
            times *= 2
    return best * random.size * streams, best * (numbers.nbytes + scales.nbytes + corrections.nbytes)
