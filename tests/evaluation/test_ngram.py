"""The n-gram baseline: a distribution, that learns what follows what, and leaves to shorter contexts what it must."""

import itertools

import numpy as np
import pytest

from speechgen.evaluation.ngram import NGram

DRAW = np.random.default_rng(0)


def test_without_data_like_it_the_next_code_is_almost_uniform_and_never_impossible():
    model = NGram(3, 4).fit([np.zeros(10, int)], first=0)
    assert model.nats(np.array([0, 0, 0])) < 0.5
    assert np.isfinite(model.nats(np.array([3, 2, 3]))) and model.nats(np.array([3, 2, 3])) > 3 * np.log(4)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_probabilities_of_all_continuations_sum_to_one(order):
    model = NGram(3, 3).fit([DRAW.integers(3, size=40), DRAW.integers(2, size=30)], first=1)
    total = sum(np.exp(-model.nats(np.array(codes), order)) for codes in itertools.product(range(3), repeat=4))
    assert total == pytest.approx(1.0)


def test_a_rule_of_two_codes_needs_a_trigram():
    def rule(length):
        codes = [0, 1]
        while len(codes) < length:
            codes.append((codes[-1] + codes[-2]) % 4 if DRAW.random() < 0.9 else int(DRAW.integers(4)))
        return np.array(codes)

    model = NGram(3, 4).fit([rule(4000)], first=0)
    heard = rule(2000)
    one, two, three = (model.nats(heard, order) / len(heard) / np.log(2) for order in (1, 2, 3))
    true = -(0.925 * np.log2(0.925) + 3 * 0.025 * np.log2(0.025))
    assert true - 0.1 < three < true + 0.1 < two <= one + 0.05 < 2.1


def test_lower_orders_are_the_models_of_that_order():
    recordings, heard = [DRAW.integers(5, size=200)], DRAW.integers(5, size=50)
    two = NGram(2, 5).fit(recordings, first=2)
    assert NGram(4, 5).fit(recordings, first=2).nats(heard, 2) == pytest.approx(two.nats(heard))


def test_what_cannot_be_counted_is_refused():
    for order, classes in ((0, 256), (8, 256)):
        with pytest.raises(ValueError, match="cannot be counted"):
            NGram(order, classes)
