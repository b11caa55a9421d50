"""Sets of images: how they are halved for distances."""

import numpy as np

from speechgen.data.images import Images


def test_halves_take_turns_within_each_label():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 0, 1])
    pixels = np.arange(10, dtype=np.uint8)[:, None, None, None]
    first, second = Images(pixels, labels, ["a", "b", "c"], "toy").halves()
    assert first.pixels.ravel().tolist() == [0, 2, 5, 8, 9]
    assert second.pixels.ravel().tolist() == [1, 3, 4, 6, 7]
    assert (first.labels == labels[[0, 2, 5, 8, 9]]).all() and first.names == ["a", "b", "c"]
