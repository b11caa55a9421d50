"""The kernel in C++ (``wavenet.cpp``), called through ctypes, with weights of 32, 16 or 8 bits."""

import ctypes

import numpy as np

from speechgen.errors import UserError
from speechgen.kernels.build import levels, load_library
from speechgen.kernels.layout import Weights
from speechgen.kernels.precision import quantise

GROUP = 4  # streams that share each load of a weight
WIDEST = 512  # of any layer, as in the source

Pointer, Int, Long = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64


class Network(ctypes.Structure):
    """As in the source."""

    _fields_ = [
        *((name, Int) for name in ("layers", "residual", "skip", "hidden", "parameters", "choices", "classes")),
        *((name, Int) for name in ("mixtures", "scalar")),
        ("least_log_scale", ctypes.c_float),
        *((name, Pointer) for name in ("dilations", "now", "before", "weights", "residual_bias")),
        *((name, Pointer) for name in ("skip_bias", "hidden_bias", "head_bias", "scales", "corrections")),
    ]


class Memory(ctypes.Structure):
    """As in the source."""

    _fields_ = [("time", Long), ("rings", Pointer), ("ring_scales", Pointer), ("last", Pointer)]


class Task(ctypes.Structure):
    """As in the source."""

    _fields_ = [
        *((name, Long) for name in ("samples", "frames", "hold", "offset")),
        ("temperature", ctypes.c_double),
        *((name, Pointer) for name in ("uniforms", "biases", "codes", "logits")),
        ("drawing", Int),
    ]


class NativeKernel:
    """A kernel (see ``kernels/base.py``) of any number of streams; they run in groups of four, or one by one."""

    def __init__(
        self, weights: Weights, streams: int, temperature: float, precision: str = "f32", level: str | None = None
    ):
        """precision: f32, bf16 or int8; level: of instructions (``build.levels``), the best unless given."""
        residual, skip = weights.skip.shape[1:]
        hidden, parameters = weights.head.shape
        if max(2 * residual, skip, hidden, parameters) > WIDEST:
            raise UserError(f"compiled-{precision} has room for layers of {WIDEST} at most; use compiled-f32-numba")
        library = load_library(level or levels()[0])
        self.entry = getattr(library, f"wavenet_{precision}")
        self.entry.argtypes = [ctypes.POINTER(Network), ctypes.POINTER(Memory), ctypes.POINTER(Task), ctypes.c_int]
        self.weights, self.temperature, self.packed = weights, float(temperature), quantise(weights, precision)
        w = weights
        sizes = len(w.dilations), residual, skip, hidden, parameters, w.choices, w.classes, w.mixtures, w.scalar
        arrays = w.dilations, w.now, w.before, self.packed.numbers
        biases = w.residual_bias, w.skip_bias, w.hidden_bias, w.head_bias
        addresses = (array.ctypes.data for array in (*arrays, *biases, self.packed.scales, self.packed.corrections))
        self.network = Network(*sizes, w.least_log_scale, *addresses)
        self.groups = []
        for first in range(0, streams, GROUP):
            real = min(GROUP, streams - first)
            # Two or three streams run as four, the last of them more than once: that is still quicker than one by one.
            together = [first + min(stream, real - 1) for stream in range(1 if real == 1 else GROUP)]
            self.groups.append(_Group(w, together, precision))

    def run(
        self, uniforms: np.ndarray, biases: np.ndarray, hold: int, offset: int, forced: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        streams, samples = uniforms.shape
        codes = np.zeros((streams, samples), np.int32)
        logits = np.zeros((streams, 0 if forced is None else samples, self.weights.choices), np.float32)
        for group in self.groups:
            rows = group.streams
            inputs = np.ascontiguousarray(uniforms[rows]), np.ascontiguousarray(biases[rows])
            group_codes = np.zeros((len(rows), samples), np.int32) if forced is None else forced[rows].astype(np.int32)
            group_logits = logits[rows]
            addresses = (array.ctypes.data for array in (*inputs, group_codes, group_logits))
            size = samples, biases.shape[1], hold, offset
            task = Task(*size, self.temperature, *addresses, forced is None)
            if self.entry(self.network, group.memory, task, len(rows)):
                raise RuntimeError("the kernel was not built for these sizes")
            codes[rows], logits[rows] = group_codes, group_logits
        return codes, logits


class _Group:
    """The past of a few streams that run together."""

    def __init__(self, weights: Weights, streams: list[int], precision: str):
        slots, residual = int(weights.dilations.sum()), weights.skip.shape[1]
        self.streams = streams
        kind = np.uint8 if precision == "int8" else np.float32
        self.rings = np.zeros((slots, len(streams), residual), kind)
        self.scales = np.zeros((slots, len(streams)), np.float32)  # of int8: a scale of 0 makes any number silence
        self.last = np.full((len(streams), 2), weights.classes // 2, np.int32)
        self.memory = Memory(0, self.rings.ctypes.data, self.scales.ctypes.data, self.last.ctypes.data)
