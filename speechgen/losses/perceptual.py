"""Perceptual similarity: distance in the hidden layers of a network that is not trained."""

import torch
from torch import Tensor, nn


class PerceptualLoss(nn.Module):
    """Mean absolute difference of hidden layers, each scaled by its own level on the real signal.

    ``hidden``: a part that maps a signal (B, C, ...) and a number of layers to the list of what these put out, such as
    the parts of ``models/layers.py``; ``layers``: which of them to compare.
    """

    def __init__(self, hidden: nn.Module, layers: tuple[int, ...]):
        super().__init__()
        self.hidden = hidden.eval().requires_grad_(False)
        self.layers = layers

    def train(self, mode: bool = True) -> "PerceptualLoss":
        return super().train(False)  # dropout would be noise in the loss

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """A scalar for (B, C, ...) against (B, C, ...)."""
        with torch.no_grad():
            targets = self.hidden(real, max(self.layers) + 1)
        guesses = self.hidden(made, max(self.layers) + 1)
        losses = []
        for layer in self.layers:
            target = targets[layer].float()
            losses.append((guesses[layer].float() - target).abs().mean() / target.abs().mean().clamp_min(1e-5))
        return sum(losses) / len(losses)
