"""A linear map that makes the channels of a unit uncorrelated and of like size, and its inverse."""

from typing import Self

import torch
from torch import Tensor, nn


class Whitening(nn.Module):
    """(..., C) to (..., D) and back, D of at most C; the identity until it is measured.

    A diffusion or flow head errs alike in all directions; where a codec's latents are correlated, its error would
    drown the directions in which they vary little.
    """

    mean: Tensor
    matrix: Tensor
    inverse_matrix: Tensor

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("matrix", torch.eye(channels, width))
        self.register_buffer("inverse_matrix", torch.eye(width, channels))

    @classmethod
    def measure(cls, samples: Tensor, power: float, floor: float) -> Self:
        """From samples (N, C) of deviation about 1: principal directions of variance below ``floor`` are dropped, the
        others divided by their deviation to the ``power`` (0: only turned, 1: white) and brought to mean variance 1."""
        samples = samples.double()
        mean = samples.mean(0)
        variances, directions = torch.linalg.eigh((samples - mean).T.cov())
        kept = variances >= floor
        variances, directions = variances[kept].flip(0), directions[:, kept].flip(1)
        scale = variances ** (-power / 2)
        scale = scale / (scale**2 * variances).mean().sqrt()
        white = cls(samples.shape[1], len(variances))
        white.mean.copy_(mean)
        white.matrix.copy_(directions * scale)
        white.inverse_matrix.copy_((directions / scale).T)
        return white

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) @ self.matrix

    def inverse(self, x: Tensor) -> Tensor:
        return x @ self.inverse_matrix + self.mean
