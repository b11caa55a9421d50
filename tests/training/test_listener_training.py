"""How the listener is trained: what it learns, what is masked, when the label prior joins."""

from dataclasses import replace

import pytest
import torch

from speechgen.models.listener import greedy
from speechgen.training.listener import Spoken
from speechgen.training.loop import train


def test_it_learns_to_hear_a_tiny_corpus(build, config, tmp_path):
    task = build("listener", dropout=0.0)
    train(task, config(200, learning_rate=1e-2, warmup=10, ema=0.9, log_every=50, bf16=False), tmp_path)
    scores = task.evaluate(task.players, torch.Generator()).scalars
    assert scores["phoneme_error"] < 0.7 and scores["cer"] < 0.7 and scores["speaker_accuracy"] > 0.6


def test_the_first_loss_is_that_of_guessing(build):
    task = build("listener", dropout=0.0)
    _, logged = task.losses("listener", task.batch(0, 0, 1), 0, torch.Generator().manual_seed(0))
    assert logged["speaker"] == pytest.approx(torch.tensor(2.0).log().item(), abs=0.5)
    assert logged["phoneme"] > 1 and logged["character"] > 1


def test_the_label_prior_follows_what_is_heard_and_joins_later(build):
    task = build("listener", dropout=0.0)
    listener = task.players["listener"]
    generator = torch.Generator().manual_seed(0)
    assert listener.phoneme_prior.std() == 0
    early = [task.losses("listener", task.batch(0, 0, 1), step, generator.manual_seed(0))[1] for step in (0, 3)]
    assert listener.phoneme_prior.std() > 0
    assert listener.phoneme_prior.sum() == pytest.approx(1.0, abs=1e-5)
    assert early[0]["phoneme"] != early[1]["phoneme"]  # the same batch and masks, with the prior from step 3 on
    assert early[0]["character"] == pytest.approx(early[1]["character"])


def test_masks_cover_what_they_may_and_no_more(build):
    task = build("listener")
    frames = torch.ones(3, 50, 20)
    masked = task._mask(frames, torch.Generator().manual_seed(0))
    assert frames.eq(1).all()  # a copy
    for row in masked:
        whole_steps = row.eq(0).all(1)
        # two masks of at most 0.05 s, that is two steps each
        assert 0 <= whole_steps.sum() <= 4
        bands = row[~whole_steps].view(-1, 2, 10).eq(0).all(0).all(0)
        assert bands.sum() <= 4
    assert masked.eq(0).any()
    assert torch.equal(masked, task._mask(frames, torch.Generator().manual_seed(0)))


def test_symbols_and_speakers_that_dev_alone_has_do_not_stop_it(build):
    task = build("listener")
    nobody = replace(build("example", number=0, seconds=0.4), speaker="nobody")
    task.dev = [Spoken(nobody, [" ", "zz", " "], list("q"))]
    scores = task.evaluate(task.players, torch.Generator()).scalars
    assert set(scores) == {"phoneme_error", "cer"}  # no speaker that could be named


def test_a_text_longer_than_its_audio_costs_nothing(build):
    task = build("listener", dropout=0.0)
    task.train = [replace(one, phonemes=["a", "c"] * 100) for one in task.train]
    loss, logged = task.losses("listener", task.batch(0, 0, 1), 0, torch.Generator().manual_seed(0))
    assert logged["phoneme"] == 0 and loss.isfinite()


def test_greedy_merges_and_drops_blanks():
    path = [0, 1, 1, 0, 1, 2, 2, 0]
    scores = torch.nn.functional.one_hot(torch.tensor(path), 3).float().log()
    assert greedy(scores) == [1, 1, 2]
