"""Encoders around the backbone: padding changes nothing, and durations are what was learned."""

import math

import pytest
import torch

from speechgen.nn.encoders import DurationPredictor, PooledEncoder, SymbolEncoder

MASK = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def symbols() -> torch.Tensor:
    drawn = torch.randint(1, 9, (2, 7), generator=torch.Generator().manual_seed(1))
    return drawn.masked_fill(~MASK, 0)


@torch.no_grad()
def test_symbols_beside_a_longer_row_are_as_alone(symbols):
    torch.manual_seed(0)
    encoder = SymbolEncoder(9, 2, width=8, blocks=3).eval()
    languages, extra = torch.tensor([0, 1]), noise(2, 8)
    together = encoder(symbols, languages, MASK, extra)
    assert together.shape == (2, 7, 8) and not together[1, 4:].any()
    alone = encoder(symbols[1:, :4], languages[1:], MASK[1:, :4], extra[1:])
    torch.testing.assert_close(together[1, :4], alone[0], atol=1e-5, rtol=1e-5)
    other = symbols.clone()
    other[1, 4:] = 5
    assert torch.equal(encoder(other, languages, MASK, extra), together)


@torch.no_grad()
def test_language_and_context_are_heard(symbols):
    torch.manual_seed(0)
    encoder = SymbolEncoder(9, 2, width=8, blocks=1, kernel=3).eval()
    mask = torch.ones(2, 7, dtype=torch.bool)
    one = encoder(symbols, torch.tensor([0, 0]), mask)
    assert not torch.allclose(one, encoder(symbols, torch.tensor([1, 1]), mask))
    changed = symbols.clone()
    changed[0, 3] = 8 if symbols[0, 3] != 8 else 7
    moved = (encoder(changed, torch.tensor([0, 0]), mask) != one).any(-1)[0].nonzero().flatten().tolist()
    assert moved == [2, 3, 4]


@torch.no_grad()
def test_pooling_counts_real_positions_only():
    torch.manual_seed(0)
    encoder = PooledEncoder(5, 8, blocks=2).eval()
    x = noise(2, 7, 5)
    together = encoder(x, MASK)
    assert together.shape == (2, 8)
    torch.testing.assert_close(encoder(x[1:, :4], MASK[1:, :4])[0], together[1], atol=1e-5, rtol=1e-4)
    x[1, 4:] += 100
    torch.testing.assert_close(encoder(x, MASK)[1], together[1], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_pooling_one_position_is_finite():
    encoder = PooledEncoder(5, 8, blocks=1)
    assert encoder(noise(1, 1, 5), torch.ones(1, 1, dtype=torch.bool)).isfinite().all()


def test_durations_are_learned_for_each_symbol():
    """Symbols 1..4 last 2, 4, 8 and 16 frames, give or take a tenth: means come out, and so does their spread."""
    torch.manual_seed(0)
    predictor = DurationPredictor(5, 1, voice_width=3, width=16, blocks=1)
    optimiser = torch.optim.Adam(predictor.parameters(), lr=1e-2)
    draws = torch.Generator().manual_seed(0)
    languages, mask, voice = torch.zeros(16, dtype=torch.long), torch.ones(16, 6, dtype=torch.bool), torch.zeros(16, 3)
    losses = []
    for _ in range(150):
        symbols = torch.randint(1, 5, (16, 6), generator=draws)
        frames = 2.0**symbols * (0.1 * torch.randn(16, 6, generator=draws)).exp()
        losses.append(predictor.loss(symbols, languages, mask, voice, frames))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < losses[0] - 1
    row = torch.tensor([[1, 2, 3, 4, 2, 3]])
    expected = predictor.frames(row, languages[:1], mask[:1], voice[:1])[0]
    torch.testing.assert_close(expected, 2.0 ** row[0], rtol=0.25, atol=0.3)


@torch.no_grad()
def test_padding_costs_nothing_and_lasts_no_time(symbols):
    torch.manual_seed(0)
    predictor = DurationPredictor(9, 2, voice_width=3, width=8, blocks=1).eval()
    languages, voice, frames = torch.tensor([0, 1]), noise(2, 3), torch.full((2, 7), 3.0)
    expected = predictor.frames(symbols, languages, MASK, voice)
    assert (expected[MASK] > 0).all() and not expected[1, 4:].any()
    loss = predictor.loss(symbols, languages, MASK, voice, frames)
    frames[1, 4:] = 1000
    assert torch.equal(predictor.loss(symbols, languages, MASK, voice, frames), loss)
    frames[1, 3] = 1000
    assert predictor.loss(symbols, languages, MASK, voice, frames) > loss


@torch.no_grad()
def test_an_unsure_duration_has_no_heavy_tail():
    predictor = DurationPredictor(3, 1, voice_width=2, width=8, blocks=1)
    predictor.outlet.weight.zero_()
    for spread, bound in ((1.0, 4.0 * 1.3), (50.0, 4.0 * 1.3), (-3.0, 4.0 * 1.01)):
        predictor.outlet.bias.copy_(torch.tensor([math.log(4.0), spread]))
        ones = torch.ones(1, 3, dtype=torch.long)
        frames = predictor.frames(ones, torch.zeros(1, dtype=torch.long), ones.bool(), torch.zeros(1, 2))
        assert (frames >= 4.0 - 1e-4).all() and (frames < bound).all()
