"""Perceptual loss: distance in hidden layers of any part that maps a signal to a list of activations."""

import pytest
import torch
from torch import Tensor, nn

from speechgen.losses.perceptual import PerceptualLoss


class Layers(nn.Module):
    """Three linear layers with dropout, over the last dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.5)) for _ in range(3))

    def forward(self, x: Tensor, count: int) -> list[Tensor]:
        hidden = []
        for layer in self.layers[:count]:
            hidden.append(x := layer(x))
        return hidden


@pytest.fixture
def layers() -> Layers:
    torch.manual_seed(0)
    return Layers()


def noise(seed: int = 0) -> Tensor:
    return torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(seed))


def test_the_same_costs_nothing_and_worse_costs_more(layers: Layers) -> None:
    loss, real = PerceptualLoss(layers, (0, 2)), noise()
    assert loss(real, real) == 0
    near, far = (loss(real + level * noise(1), real) for level in (0.05, 0.5))
    assert 0 < near < far


def test_it_is_the_mean_over_the_chosen_layers(layers: Layers) -> None:
    made, real = noise(1), noise()
    together = PerceptualLoss(layers, (0, 2))(made, real)
    targets, guesses = layers(real, 3), layers(made, 3)
    alone = [(guesses[n] - targets[n]).abs().mean() / targets[n].abs().mean() for n in (0, 2)]
    assert together == sum(alone) / 2


def test_gradients_reach_what_was_made_and_not_the_layers(layers: Layers) -> None:
    made, real = noise(1).requires_grad_(), noise().requires_grad_()
    PerceptualLoss(layers, (0, 1))(made, real).backward()
    assert made.grad.any() and made.grad.isfinite().all() and real.grad is None
    assert all(parameter.grad is None for parameter in layers.parameters())


def test_training_mode_brings_no_dropout(layers: Layers) -> None:
    loss, made, real = PerceptualLoss(layers, (2,)).train(), noise(1), noise()
    assert not layers.training
    assert loss(made, real) == loss(made, real)
