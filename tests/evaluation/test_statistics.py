import numpy as np
import pytest

from speechgen.evaluation.statistics import Estimate, mean_estimate, ratio_estimate


def test_the_interval_of_a_mean_is_the_textbook_s():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    estimate = mean_estimate(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert estimate.mean == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.04)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.04)


def test_the_same_values_give_the_same_interval():
    assert mean_estimate([1.0, 2.0, 4.0]) == mean_estimate([1.0, 2.0, 4.0])


def test_one_value_has_no_spread():
    assert mean_estimate([2.5]) == Estimate(2.5, 2.5, 2.5)


def test_an_error_rate_is_of_all_words_together():
    estimate = ratio_estimate([1, 0, 3], [10, 2, 4])
    assert estimate.mean == pytest.approx(4 / 16)
    assert estimate.low <= estimate.mean <= estimate.high


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="no values"):
        mean_estimate([])


def test_json_round_trip():
    estimate = mean_estimate([1.0, 2.0, 4.0])
    assert Estimate.from_json(estimate.to_json()) == estimate
    assert set(estimate.to_json()) == {"mean", "ci95"}
