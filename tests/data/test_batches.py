"""Batches are functions of their number: nothing is repeated or left out, however often a run was stopped."""

from collections import Counter

import numpy as np
import pytest
import torch

from speechgen.data.batches import Crops, LengthBatches, pad_waves, share
from speechgen.data.shards import Example


def lengths(count: int = 57) -> list[float]:
    return np.random.default_rng(0).uniform(1, 6, count).tolist()


def example(number: int, samples: int) -> Example:
    """Audio that tells where it is from: example and position."""
    return Example(str(number), "s", "t", "en", 16000, (1000 * number + np.arange(samples)).astype(np.int16))


def test_an_epoch_has_every_example_once_and_keeps_to_the_budget():
    batches = LengthBatches(lengths(), budget=20.0)
    first = [batches.indices(step) for step in range(len(batches))]
    assert sorted(index for batch in first for index in batch) == list(range(57))
    for batch in first:
        assert max(lengths()[i] for i in batch) * len(batch) <= 20.0


def test_lengths_in_a_batch_are_alike():
    batches = LengthBatches(lengths(400), budget=40.0)
    spans = [np.ptp([lengths(400)[i] for i in batches.indices(step)]) for step in range(len(batches))]
    assert np.mean(spans) < 1.5  # of 5 seconds between the shortest and the longest of all


def test_later_epochs_are_shuffled_anew_and_as_many():
    batches = LengthBatches(lengths(), budget=20.0)
    size = len(batches)
    epochs = [[tuple(batches.indices(epoch * size + step)) for step in range(size)] for epoch in range(4)]
    assert len({tuple(epoch) for epoch in epochs}) == 4
    for epoch in epochs:
        counts = Counter(index for batch in epoch for index in batch)
        # An epoch may be a batch or two longer or shorter than the first; few examples fall to that.
        assert len(counts) > 0.8 * 57


def test_a_batch_depends_on_seed_and_number_alone():
    batches, again = LengthBatches(lengths(), 20.0, seed=1), LengthBatches(lengths(), 20.0, seed=1)
    steps = [0, 40, 3, 41, 7, 200]  # in any order, over several epochs
    for step in steps:
        assert batches.indices(step) == LengthBatches(lengths(), 20.0, seed=1).indices(step)
        assert batches.indices(step) == again.indices(step)
    assert any(batches.indices(step) != LengthBatches(lengths(), 20.0, seed=2).indices(step) for step in steps)


def test_an_example_longer_than_the_budget_goes_alone():
    batches = LengthBatches([1.0, 50.0, 1.0], budget=10.0)
    found = sorted(sorted(batches.indices(step)) for step in range(len(batches)))
    assert found == [[0, 2], [1]]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_share_what_one_would_see(ranks):
    items = list(range(7))
    parts = [share(items, rank, ranks) for rank in range(ranks)]
    assert sorted(item for part in parts for item in part) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_no_rank_is_left_without_anything():
    assert [share([4], rank, 3) for rank in range(3)] == [[4], [4], [4]]


def test_crops_are_pieces_of_the_audio():
    crops = Crops([example(1, 500), example(2, 900)], samples=100, batch=6, seed=3)
    waves = crops.waves(0)
    assert waves.shape == (6, 1, 100) and waves.dtype == torch.float32
    for row in (waves[:, 0] * 32768).round().long():
        assert (row.diff() == 1).all()
        number, start = divmod(int(row[0]), 1000)
        assert number in (1, 2) and start + 100 <= {1: 500, 2: 900}[number]
    assert torch.equal(Crops([example(1, 500), example(2, 900)], 100, 6, 3).waves(0), waves)
    assert not torch.equal(crops.waves(1), waves)


def test_longer_examples_are_cropped_more_often():
    crops = Crops([example(1, 300), example(2, 900)], samples=100, batch=400)
    numbers = (crops.waves(0)[:, 0, 0] * 32768).round().long() // 1000
    assert (numbers == 2).float().mean() == pytest.approx(0.75, abs=0.08)


def test_what_is_shorter_than_a_crop_is_padded_with_silence():
    waves = Crops([example(1, 30)], samples=100, batch=2).waves(5)
    assert (waves[:, 0, 30:] == 0).all()
    assert (waves[0, 0, :30] * 32768).round().tolist() == list(range(1000, 1030))


def test_padded_waves_and_their_lengths():
    waves, lengths = pad_waves([np.array([16384, -32768], np.int16), np.array([1, 2, 3], np.int16)])
    assert lengths.tolist() == [2, 3]
    assert waves[0].tolist() == [0.5, -1.0, 0.0]
    assert (waves[1] * 32768).tolist() == [1, 2, 3]
