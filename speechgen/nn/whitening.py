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
    def measure(cls, samples: Tensor, power: float, floor: float, near: Self | None = None) -> Self:
        """From samples (N, C) of deviation about 1: principal directions of variance below ``floor`` are dropped, the
        others divided by their deviation to the ``power`` (0: only turned, 1: white) and brought to mean variance 1.

        ``near``: the map of units that were nearly these, of as many channels as are kept then whatever the floor.
        What it makes of these is approached by a rotation (orthogonal Procrustes), and nothing lost but the least
        directions: a model that knows its units finds them again.
        """
        samples = samples.double()
        mean = samples.mean(0)
        covariance = (samples - mean).T.cov()
        variances, directions = torch.linalg.eigh(covariance)
        width = int((variances >= floor).sum()) if near is None else near.matrix.shape[1]
        variances, directions = variances.flip(0)[:width], directions.flip(1)[:, :width]
        scale = variances ** (-power / 2)
        scale = scale / (scale**2 * variances).mean().sqrt()
        matrix, inverse_matrix = directions * scale, (directions / scale).T
        if near is not None:
            left, _, right = torch.linalg.svd(matrix.T @ covariance @ near.matrix.double())
            matrix, inverse_matrix = matrix @ left @ right, (left @ right).T @ inverse_matrix
        white = cls(samples.shape[1], width)
        white.mean.copy_(mean)
        white.matrix.copy_(matrix)
        white.inverse_matrix.copy_(inverse_matrix)
        return white

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) @ self.matrix

    def inverse(self, x: Tensor) -> Tensor:
        return x @ self.inverse_matrix + self.mean
