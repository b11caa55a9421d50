"""What every kernel offers."""

from typing import Protocol

import numpy as np


class Kernel(Protocol):
    """Draws samples of some streams on one core, going on where it stopped."""

    def run(
        self, uniforms: np.ndarray, biases: np.ndarray, hold: int, offset: int, forced: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The next n samples of S streams: codes (S, n) int32, and the head's parameters (S, n, choices) when forced.

        uniforms (S, n) float64 in [0, 1) pick the codes. biases (S, frames, L, 2 R) float32, of ``pack_biases``, are
        added to each layer's gate input; sample i uses frame ``(offset + i) // hold``. With forced codes (S, n)
        int32 nothing is drawn: these go in instead.
        """
