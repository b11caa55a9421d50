"""A table of what followed what: the baseline that a model of samples must beat.

Interpolated with the shorter contexts as Witten and Bell (1991) do: the more different codes have followed a context,
the more is left to the shorter one; at the end of the chain all codes are equally likely.
"""

from collections.abc import Sequence

import numpy as np


class NGram:
    """Probabilities of the next code given the ``order - 1`` before it.

    ``tables``: for each context length its n-grams with their counts, and its contexts with how often and by how many
    different codes they were followed; keys are codes written as digits of one number, and sorted.
    """

    def __init__(self, order: int, classes: int = 256):
        if order < 1 or classes**order > 2**62:
            raise ValueError(f"an n-gram of {order} codes out of {classes} cannot be counted")
        self.order, self.classes = order, classes
        self.tables: list[tuple[np.ndarray, ...]] = []

    def fit(self, recordings: Sequence[np.ndarray], first: int) -> "NGram":
        """Count codes (T,) of recordings, each preceded by codes ``first`` (silence)."""
        self.first = first
        for length in range(1, self.order + 1):
            keys = np.concatenate([self._keys(codes, length) for codes in recordings])
            keys.sort()
            starts = np.flatnonzero(np.diff(keys, prepend=-1))
            grams, counts = keys[starts], np.diff(starts, append=len(keys))
            contexts, firsts = np.unique(grams // self.classes, return_index=True)
            totals, kinds = np.add.reduceat(counts, firsts), np.diff(firsts, append=len(grams))
            self.tables.append((grams, counts, contexts, totals, kinds))
        return self

    def nats(self, codes: np.ndarray, order: int | None = None) -> float:
        """Surprise at a recording's codes (T,), summed; a lower ``order`` than was counted may be asked for."""
        probabilities = np.full(len(codes), 1 / self.classes)
        for length, (grams, counts, contexts, totals, kinds) in enumerate(self.tables[: order or self.order], start=1):
            keys = self._keys(codes, length)
            seen = _look_up(grams, counts, keys)
            total, kind = (_look_up(contexts, values, keys // self.classes) for values in (totals, kinds))
            mixed = (seen + kind * probabilities) / np.maximum(total + kind, 1)
            probabilities = np.where(total > 0, mixed, probabilities)
        return float(-np.log(probabilities).sum())

    def _keys(self, codes: np.ndarray, length: int) -> np.ndarray:
        padded = np.concatenate([np.full(length - 1, self.first), codes]).astype(np.int64)
        keys = np.zeros(len(codes), np.int64)
        for offset in range(length):
            keys = keys * self.classes + padded[offset : offset + len(codes)]
        return keys


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The values of the wanted keys, 0 for those that are not there."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
