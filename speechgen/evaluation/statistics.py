"""Means that state how sure they are: percentile bootstrap over utterances (Efron 1979), 95 % intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000
LEVELS = [2.5, 97.5]
WILSON = 1.959964  # the 97.5 % point of the normal distribution


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
    rows = generator.integers(len(numerator), size=(DRAWS, len(numerator)))
    drawn = numerator[rows].sum(axis=1) / denominator[rows].sum(axis=1)
    low, high = np.percentile(drawn, LEVELS)
    return Estimate(float(numerator.sum() / denominator.sum()), float(low), float(high))


def share_estimate(count: int, whole: int) -> Estimate:
    """``count`` of ``whole`` with Wilson's interval (1927), which is not empty where none or all are counted.

    Raises ValueError for a whole of 0.
    """
    if not whole:
        raise ValueError("no share of nothing")
    share, spread = count / whole, WILSON**2 / whole
    centre = (share + spread / 2) / (1 + spread)
    half = WILSON / (1 + spread) * (share * (1 - share) / whole + spread / (4 * whole)) ** 0.5
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half))


@dataclass(frozen=True)
class Value:
    """One utterance's score, and what it weighs in a mean: a character error rate weighs its characters."""

    value: float
    weight: float = 1.0


class PairedBootstrap:
    """The same draws of utterances for every system and metric, so that differences are of like with like."""

    def __init__(self, utterances: Sequence[str], draws: int = DRAWS, seed: int = 0):
        self.position = {name: i for i, name in enumerate(utterances)}
        count = len(self.position)
        even = np.full(count, 1 / max(1, count))
        self.counts = np.random.default_rng(seed).multinomial(count, even, size=draws).astype(np.float32)

    def mean(self, values: Mapping[str, Value]) -> Estimate | None:
        """The weighted mean over the utterances that have a value; None when none has."""
        return self._estimate({name: (value.value, value.weight) for name, value in values.items()})

    def difference(self, values: Mapping[str, Value], others: Mapping[str, Value]) -> Estimate | None:
        """How much higher the first mean is than the second, over the utterances that both have."""
        shared = [name for name in values if name in others]
        # The weight belongs to the utterance (its text is the same), so the difference is itself a weighted mean.
        return self._estimate({n: (values[n].value - others[n].value, values[n].weight) for n in shared})

    def _estimate(self, weighted: Mapping[str, tuple[float, float]]) -> Estimate | None:
        if not weighted:
            return None
        rows = [self.position[name] for name in weighted]
        value, weight = np.array(list(weighted.values()), dtype=float).T
        counts = self.counts[:, rows]
        total = counts @ weight
        drawn = (counts @ (value * weight))[total > 0] / total[total > 0]
        mean = float(value @ weight / weight.sum())
        if not len(drawn):
            return Estimate(mean, mean, mean)
        low, high = np.percentile(drawn, LEVELS)
        return Estimate(mean, float(low), float(high))
