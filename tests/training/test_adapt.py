"""Learning a voice from a few seconds: its own loss falls, the same seed learns the same, and words must be known."""

import numpy as np
import pytest
import torch

from speechgen.errors import UserError
from speechgen.models.arrange import make_rows
from speechgen.models.rows import Segment, symbol_numbers
from speechgen.training.adapt import AdaptConfig, adapt

pytest.importorskip("peft")

SLOWLY = AdaptConfig(steps=40, learning_rate=0.01, rows=2, stretch_seconds=2.0)


@pytest.fixture
def tts(build):
    model = build("tts").model.eval().requires_grad_(False)
    for weight in model.head.parameters():
        weight.data.normal_(std=0.1, generator=torch.Generator().manual_seed(0))  # it begins as one that hears nothing
    return model


@pytest.fixture
def piece(tts, build):
    one = max(build("units"), key=lambda unit: unit.seconds)
    repeat = -(-int(2 * tts.config.frame_rate) // one.frames)
    units = torch.from_numpy(one.latents).float().repeat(repeat, 1)
    return Segment(units, np.tile(symbol_numbers(tts.config, one.symbols), repeat), np.tile(one.durations, repeat))


def loss(tts, piece: Segment) -> float:
    rows = make_rows(tts, [(piece.crop(0, piece.frames // 2), piece)] * 8, [tts.config.languages[0]] * 8)
    draws = torch.Generator().manual_seed(0)
    nobody = torch.zeros(8, dtype=torch.bool)
    return float(tts.losses(rows, tts.embed(rows.values), nobody, 0.5, draws)["unit"])


def test_the_voice_is_learned_and_the_model_stays(tts, piece):
    weights = {name: weight.clone() for name, weight in tts.state_dict().items()}
    before = loss(tts, piece)
    adapter = adapt(tts, [piece], tts.config.languages[0], SLOWLY)
    assert loss(adapter.added_to(tts), piece) < 0.9 * before
    assert loss(tts, piece) == before
    assert all(torch.equal(weight, weights[name]) for name, weight in tts.state_dict().items())
    assert {name.partition(".")[0] for name in adapter.products} == {"transformer", "head"}


def test_a_seed_learns_the_same(tts, piece):
    language, few = tts.config.languages[0], SLOWLY.model_copy(update={"steps": 3})
    made = []
    for seed in (0, 0, 1):
        torch.rand(3)  # draws of others do not matter
        made.append(adapt(tts, [piece], language, few, seed).tensors())
    one, same, other = made
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_words_must_be_known_and_the_stretch_long_enough(tts, piece):
    for bad in (piece.unknown(), piece.crop(0, 3)):
        with pytest.raises(UserError, match="give the transcript of the prompt"):
            adapt(tts, [bad], tts.config.languages[0])
