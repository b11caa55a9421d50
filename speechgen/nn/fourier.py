"""Spectra of short frames, by the fast transform or by matrix products.

The two agree to rounding. Products are what an exported graph can hold, and for frames this short hardly slower.
"""

import math

import torch
from torch import Tensor, nn


class Fourier(nn.Module):
    """Frames (..., window) to real and imaginary parts (..., window / 2 + 1) and back, by the fast transform."""

    def __init__(self, window: int):
        super().__init__()
        self.window = window

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.fft.rfft(frames)
        return spectrum.real, spectrum.imag

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        return torch.fft.irfft(torch.complex(real, imaginary), n=self.window)


class MatrixFourier(nn.Module):
    """The same by products with matrices of cosines and sines."""

    def __init__(self, window: int):
        super().__init__()
        bins = window // 2 + 1
        angle = torch.outer(torch.arange(window), torch.arange(bins)).remainder(window) * (2 * math.pi / window)
        cosine, sine = angle.double().cos(), angle.double().sin()
        self.register_buffer("analysis", torch.cat([cosine, -sine], dim=1).float(), persistent=False)
        # All bins but the first (and, of an even window, the last) stand for two of the whole spectrum.
        twice = torch.full((bins,), 2.0, dtype=torch.double)
        twice[0] = 1.0
        if window % 2 == 0:
            twice[-1] = 1.0
        synthesis = torch.cat([twice * cosine, -twice * sine], dim=1).t() / window
        self.register_buffer("synthesis", synthesis.float().contiguous(), persistent=False)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        real, imaginary = (frames @ self.analysis).chunk(2, dim=-1)
        return real, imaginary

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        return torch.cat([real, imaginary], dim=-1) @ self.synthesis
