"""Codes of samples as inputs of a network."""

from torch import Tensor, nn


class CodeInput(nn.Module):
    """The first convolution, of two taps, over codes: one-hot, which is a table per tap, or as points of a scale.

    ``scalar``: codes 0 ... classes - 1 are points of a scale from -1 to 1.
    """

    def __init__(self, classes: int, width: int, scalar: bool = False):
        super().__init__()
        self.classes, self.scalar = classes, scalar
        make = nn.Linear if scalar else nn.Embedding
        self.now, self.before = (make(1 if scalar else classes, width) for _ in range(2))

    def forward(self, now: Tensor, before: Tensor) -> Tensor:
        """Codes (...,), and those one sample before them, to (..., width)."""
        if self.scalar:
            now, before = ((2 * codes / (self.classes - 1) - 1).unsqueeze(-1) for codes in (now, before))
        return self.now(now) + self.before(before)
