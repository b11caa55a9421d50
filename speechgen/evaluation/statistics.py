"""Means that state how sure they are: percentile bootstrap over utterances (Efron 1979), 95 % intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def to_json(self) -> dict:
        return {"mean": self.mean, "ci95": [self.low, self.high]}

    @classmethod
    def from_json(cls, values: dict) -> "Estimate":
        return cls(values["mean"], *values["ci95"])


def mean_estimate(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of one value per utterance; raises ValueError for none."""
    return ratio_estimate(values, [1.0] * len(values), seed)


def ratio_estimate(parts: Sequence[float], wholes: Sequence[float], seed: int = 0) -> Estimate:
    """Sum of parts over sum of wholes, such as errors over words, by drawing utterances with both their numbers."""
    if not len(parts):
        raise ValueError("no values to average")
    numerator, denominator = np.asarray(parts, dtype=float), np.asarray(wholes, dtype=float)
    generator = np.random.default_rng(seed)
    drawn = np.empty(DRAWS)
    for i in range(DRAWS):
        rows = generator.integers(len(numerator), size=len(numerator))
        drawn[i] = numerator[rows].sum() / denominator[rows].sum()
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(numerator.sum() / denominator.sum()), float(low), float(high))
