"""Adaptive normalisation: a condition shifts, scales and gates a residual branch (Peebles & Xie 2023, section 3.2)."""

import math

import torch
from torch import Tensor, nn


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """``x * (1 + scale) + shift``; the three broadcast together."""
    return torch.addcmul(x + shift, x, scale)


class TimeEmbedding(nn.Module):
    """Embeds a diffusion or flow time in [0, 1] by sines and cosines, then a two-layer MLP.

    (...,) -> (..., width).
    """

    frequencies: Tensor

    def __init__(self, width: int, waves: int = 128, longest_period: float = 10.0) -> None:
        super().__init__()
        # Times are scaled by 1000, so periods span 2 pi / 1000 (fine steps) to about the whole range and beyond.
        exponents = torch.arange(waves, dtype=torch.float32) / waves
        frequencies = 1000.0 * torch.exp(-math.log(1000.0 * longest_period) * exponents)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.mlp = nn.Sequential(nn.Linear(2 * waves, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: Tensor) -> Tensor:
        angles = time.float().unsqueeze(-1) * self.frequencies.float()
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        return self.mlp(waves.to(self.mlp[0].weight.dtype))


class AdaptiveModulation(nn.Module):
    """Turns a condition (..., C) into ``parts`` modulation tensors of shape (..., width) each, all zero at the start.

    Zero shifts, scales and gates make every residual branch the identity, so a deep stack begins as a shallow one.
    """

    def __init__(self, condition_width: int, width: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.linear = nn.Linear(condition_width, parts * width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, condition: Tensor) -> tuple[Tensor, ...]:
        return self.linear(nn.functional.silu(condition)).chunk(self.parts, dim=-1)
