"""Rounded weights: how far off they are, and that the layout loses none."""

import numpy as np
import pytest

from speechgen.kernels.precision import PANEL, pack_bf16, pack_int8, panels


@pytest.fixture
def matrix() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(32, 100)).astype(np.float32)


def unpanelled(parts: np.ndarray) -> np.ndarray:
    return parts.swapaxes(0, 1).reshape(parts.shape[1], -1)[:, :100]


def test_panels_hold_every_weight_in_order(matrix: np.ndarray) -> None:
    assert panels(matrix).shape == (2, 32, PANEL)
    assert np.array_equal(unpanelled(panels(matrix)), matrix)


def test_bfloat16_pairs_are_as_near_as_rounding(matrix: np.ndarray) -> None:
    words, _, _ = pack_bf16(panels(matrix))
    even, odd = (words << 16).view(np.float32), words.view(np.float32)
    found = unpanelled(np.stack([even, odd], axis=2).reshape(2, 32, PANEL))
    assert np.abs(found / matrix - 1).max() <= 2**-8


def test_int8_rows_are_scaled_and_corrected(matrix: np.ndarray) -> None:
    fours, scales, corrections = pack_int8(panels(matrix))
    numbers = fours.swapaxes(2, 3).reshape(2, 32, PANEL)
    found = unpanelled(numbers * scales[:, None])
    assert (np.abs(found - matrix) <= scales.reshape(-1)[:100] * 0.501).all()
    assert np.array_equal(corrections, -128 * numbers.astype(int).sum(1))
    assert corrections.dtype == np.int32
