"""Weights in the order and precision that the C++ kernel reads: panels of 64 outputs, in 32, 16 or 8 bits.

A product of K inputs and O outputs lies as O / 64 panels, each (K, 64) from front to back. Outputs are filled up with
zeros to a multiple of 64.
"""

from dataclasses import dataclass

import numpy as np

from speechgen.kernels.layout import Weights

PANEL = 64


@dataclass(frozen=True)
class Packed:
    """Numbers of all matrices in the order of use; for int8 a scale and a correction per output of each."""

    numbers: np.ndarray
    scales: np.ndarray
    corrections: np.ndarray

    @property
    def nbytes(self) -> int:
        return self.numbers.nbytes + self.scales.nbytes + self.corrections.nbytes


def quantise(weights: Weights, precision: str) -> Packed:
    """All products of a WaveNet in a precision: f32, bf16 or int8."""
    pack = {"f32": pack_f32, "bf16": pack_bf16, "int8": pack_int8}[precision]
    parts = [pack(panels(matrix)) for matrix in weights.matrices]
    return Packed(*(aligned(np.concatenate([part.reshape(-1) for part in kind])) for kind in zip(*parts, strict=True)))


def panels(matrix: np.ndarray) -> np.ndarray:
    """(K, O) -> (panels, K, 64)."""
    matrix = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % PANEL)))
    return matrix.reshape(matrix.shape[0], -1, PANEL).swapaxes(0, 1)


def pack_f32(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.ascontiguousarray(matrix, np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32)


def pack_bf16(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two inputs' weights in a word of 32 bits, the even one's low.

    The kernel reads the odd one with the even one's bits as its tail, so it is rounded to what comes closest then:
    its error is at most that of plain rounding.
    """
    bits = np.ascontiguousarray(matrix, np.float32).view(np.uint32).astype(np.int64)
    even, odd = bits[:, 0::2], bits[:, 1::2]
    low = (even + 0x7FFF + (even >> 16 & 1)) >> 16
    sign, size = odd & 0x80000000, odd & 0x7FFFFFFF
    high = np.maximum(size - low + 0x8000, 0) >> 16
    words = (sign | high << 16 | low).astype(np.uint32)
    return words, np.zeros(0, np.float32), np.zeros(0, np.int32)


def pack_int8(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four inputs' weights side by side for each output, scaled per output.

    Activations come with 128 added, which the corrections take off again.
    """
    scales = np.maximum(np.abs(matrix).max(axis=1), 1e-20) / 127
    numbers = np.rint(matrix / scales[:, None]).astype(np.int8)
    corrections = -128 * numbers.sum(axis=1, dtype=np.int32)
    count, inputs, width = numbers.shape
    fours = numbers.reshape(count, inputs // 4, 4, width).swapaxes(2, 3)
    return np.ascontiguousarray(fours), scales.astype(np.float32), corrections


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins where a cache line does."""
    memory = np.zeros(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(array.dtype)
    copy[:] = array
    return copy
