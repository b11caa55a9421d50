"""Points in the plane to learn from: the smallest data there is."""

import math

import torch
from torch import Tensor

SPREAD = 0.15  # deviation of each Gaussian of the mixture
TURNS = 2.0  # of the spiral
BLUR = 0.03  # deviation across the spiral


def mixture(count: int, generator: torch.Generator) -> Tensor:
    """Points (count, 2) of two Gaussians, side by side."""
    side = torch.randint(2, (count, 1), generator=generator) * 2.0 - 1
    return side * torch.tensor([[1.0, 0.5]]) + SPREAD * torch.randn(count, 2, generator=generator)


def spiral(count: int, generator: torch.Generator) -> Tensor:
    """Points (count, 2) along a spiral, evenly over its length; they have a deviation of about 1."""
    angle = TURNS * 2 * math.pi * torch.rand(count, 1, generator=generator).sqrt()
    radius = 2 * angle / (TURNS * 2 * math.pi)
    line = radius * torch.cat([angle.cos(), angle.sin()], dim=1)
    return line + BLUR * torch.randn(count, 2, generator=generator)


SHAPES = {"mixture": mixture, "spiral": spiral}
