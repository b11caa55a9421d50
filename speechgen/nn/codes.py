"""Codes of samples as inputs of a network."""

import math

import torch
from torch import Tensor, nn

SMOOTHNESS = 16  # waves over the whole scale of codes, at most


class CodeInput(nn.Module):
    """The first convolution, of two taps, over codes: one-hot, which is a table per tap, or as points of a scale.

    ``scalar``: codes 0 ... classes - 1 are points of a scale from -1 to 1.
    """

    def __init__(self, classes: int, width: int, scalar: bool = False):
        super().__init__()
        self.classes, self.scalar = classes, scalar
        make = nn.Linear if scalar else nn.Embedding
        self.now, self.before = (make(1 if scalar else classes, width) for _ in range(2))
        if not scalar:
            for table in (self.now, self.before):
                with torch.no_grad():
                    table.weight.copy_(smooth_table(classes, width))

    def forward(self, now: Tensor, before: Tensor) -> Tensor:
        """Codes (...,), and those one sample before them, to (..., width)."""
        if self.scalar:
            now, before = ((2 * codes / (self.classes - 1) - 1).unsqueeze(-1) for codes in (now, before))
        return self.now(now) + self.before(before)


def smooth_table(classes: int, width: int) -> Tensor:
    """Fresh weights (classes, width), of deviation 1, that are alike for codes that are near each other.

    Each column is a wave of random length over the scale of codes (Rahimi and Recht 2007). A network that begins with
    such tables need not learn first which codes are neighbours: after 100 steps on double-bass notes, 10 layers of 32
    channels took 3.7 bits per sample, and 5.6 with independent weights.
    """
    scale = torch.linspace(-1, 1, classes)[:, None]
    waves = torch.exp(torch.rand(width) * math.log(SMOOTHNESS))
    return math.sqrt(2) * torch.cos(math.pi * waves * scale + 2 * math.pi * torch.rand(width))
