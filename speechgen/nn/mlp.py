"""The two-layer networks of transformers, gated and plain: (..., C) -> (..., C)."""

from torch import Tensor, nn
from torch.nn import functional as F

from speechgen.nn.linear import Linear


class SwiGLU(nn.Module):
    """Gated MLP; two thirds of the hidden width, so that it costs what a plain MLP of that multiplier does."""

    def __init__(self, width: int, multiplier: float) -> None:
        super().__init__()
        # Whole multiples of 32 keep vector units full.
        hidden = 32 * max(1, round(width * multiplier * 2 / 3 / 32))
        self.up = Linear(width, 2 * hidden, bias=False)
        self.down = Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * value)


class GELU(nn.Module):
    """The classic two-layer MLP."""

    def __init__(self, width: int, multiplier: float) -> None:
        super().__init__()
        hidden = int(width * multiplier)
        self.up = Linear(width, hidden, bias=False)
        self.down = Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))
