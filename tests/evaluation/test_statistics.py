import numpy as np
import pytest

from speechgen.evaluation.statistics import (
    Estimate,
    PairedBootstrap,
    Value,
    mean_estimate,
    ratio_estimate,
    share_estimate,
)


def test_the_interval_of_a_mean_is_the_textbook_s():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    estimate = mean_estimate(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert estimate.mean == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.04)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.04)


def test_the_interval_of_a_share_is_wilson_s():
    for count, low, high in ((0, 0.0, 0.2775), (1, 0.0179, 0.4042), (5, 0.2366, 0.7634), (10, 0.7225, 1.0)):
        estimate = share_estimate(count, 10)
        assert estimate.mean == count / 10
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-4)
    with pytest.raises(ValueError):
        share_estimate(0, 0)


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


def values(numbers, weights=None):
    weights = weights or [1.0] * len(numbers)
    return {f"u{i}": Value(n, w) for i, (n, w) in enumerate(zip(numbers, weights, strict=True))}


def test_the_paired_bootstrap_has_the_textbook_s_interval():
    numbers = np.random.default_rng(1).normal(5.0, 2.0, 400).tolist()
    bootstrap = PairedBootstrap([f"u{i}" for i in range(400)])
    estimate = bootstrap.mean(values(numbers))
    half = 1.96 * np.std(numbers) / np.sqrt(400)
    assert estimate.mean == pytest.approx(np.mean(numbers))
    assert (estimate.low, estimate.high) == pytest.approx((estimate.mean - half, estimate.mean + half), abs=0.04)


def test_differences_are_surer_than_means():
    numbers = np.random.default_rng(1).normal(5.0, 2.0, 50)
    bootstrap = PairedBootstrap([f"u{i}" for i in range(50)])
    difference = bootstrap.difference(values((numbers + 0.5).tolist()), values(numbers.tolist()))
    assert difference == Estimate(pytest.approx(0.5), pytest.approx(0.5), pytest.approx(0.5))
    mean = bootstrap.mean(values(numbers.tolist()))
    assert mean.high - mean.low > 0.5


def test_weights_make_a_rate_of_all_characters():
    bootstrap = PairedBootstrap([f"u{i}" for i in range(3)])
    assert bootstrap.mean(values([0.5, 0.0, 0.25], [2, 10, 4])).mean == pytest.approx(2 / 16)


def test_only_what_both_have_is_compared():
    bootstrap = PairedBootstrap(["u0", "u1", "u2"])
    some = {"u1": Value(3.0), "u2": Value(9.0)}
    assert bootstrap.difference({"u0": Value(1.0), "u1": Value(2.0)}, some).mean == -1
    assert bootstrap.difference({"u0": Value(1.0)}, some) is None
    assert bootstrap.mean({}) is None
