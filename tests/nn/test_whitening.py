"""Whitening of units: what it makes alike, what it keeps, and how it is turned to be near another."""

import pytest
import torch

from speechgen.nn.whitening import Whitening


@pytest.fixture
def units() -> torch.Tensor:
    """Latents (4000, 8) whose channels go together, with two directions of hardly any variance."""
    draws = torch.Generator().manual_seed(0)
    spread = torch.tensor([3.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.05, 0.02])
    turn = torch.linalg.qr(torch.randn(8, 8, generator=draws))[0]
    return torch.randn(4000, 8, generator=draws) * spread @ turn + torch.arange(8)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_channels_are_uncorrelated_of_mean_variance_one_and_come_back(units, power):
    white = Whitening.measure(units, power, 0.01)
    made = white(units)
    assert made.shape[1] == 6  # the two of least variance are gone
    covariance = made.T.cov()
    torch.testing.assert_close(covariance, covariance.diag().diag(), atol=1e-3, rtol=0.0)
    assert covariance.diag().mean().item() == pytest.approx(1, abs=1e-3)
    assert (covariance.diag() - 1).abs().max().item() < 1e-3 or power < 1
    assert (white.inverse(made) - units).square().mean().item() < 0.01


def test_of_units_that_changed_it_is_near_the_old_one_and_loses_no_more_than_a_new_one(units):
    draws = torch.Generator().manual_seed(1)
    old = Whitening.measure(units, 0.5, 0.01)
    changed = units @ (torch.eye(8) + 0.1 * torch.randn(8, 8, generator=draws)) + 0.5
    new, near = Whitening.measure(changed, 0.5, 0.01), Whitening.measure(changed, 0.5, 0.01, near=old)
    assert near.matrix.shape == old.matrix.shape
    before, apart = old(units), [(white(changed) - old(units)).square().mean().item() for white in (old, new, near)]
    assert apart[2] < 0.5 * min(apart[0], before.var().item()) and apart[2] < apart[1]
    width = near.matrix.shape[1]
    lost = [(white.inverse(white(changed)) - changed).square().mean().item() for white in (old, near)]
    directions = torch.linalg.eigvalsh(changed.T.cov())[: 8 - width].sum().item() / 8
    assert lost[1] == pytest.approx(directions, rel=0.05) and lost[1] < lost[0]


def test_of_the_same_units_it_is_the_old_one(units):
    old = Whitening.measure(units, 0.5, 0.01)
    again = Whitening.measure(units, 0.5, 0.5, near=old)
    torch.testing.assert_close(again.matrix, old.matrix)
    torch.testing.assert_close(again.inverse_matrix, old.inverse_matrix)
