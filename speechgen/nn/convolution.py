"""Causal 1-D convolutions with explicit streaming state.

``forward`` sees a whole sequence with zeros before it; ``step`` sees a chunk and what came before.
Over any chunking, the concatenated steps equal ``forward``.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Past = Literal["silence", "mirror", "repeat"]

# By the number of dimensions of the grid.
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


class CausalConv1d(nn.Conv1d):
    """A convolution whose output frame t sees inputs up to frame ``t * stride + stride - 1`` only.

    Input (B, C_in, T) with T a multiple of ``stride``; output (B, C_out, T / stride). ``past``: what is taken to have
    been before the start. "mirror" and "repeat" look at the first chunk for that, and a first chunk too short to be
    mirrored counts as followed by silence; ``forward`` does the same, so only there may a stream differ from the whole.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        past: Past = "silence",
    ):
        super().__init__(channels_in, channels_out, kernel, stride, dilation=dilation, groups=groups, bias=bias)
        self.past = past
        self.context = (kernel - 1) * dilation + 1 - stride
        assert self.context >= 0, f"a kernel of {kernel} skips samples at stride {stride}"

    def forward(self, x: Tensor) -> Tensor:
        if self.past == "silence":
            return super().forward(F.pad(x, (self.context, 0)))
        return self.step(x, None)[0]

    def initial_state(self, batch: int, device=None, dtype=None) -> Tensor | None:
        """The past before the start: (B, C_in, context), or None where the first chunk decides."""
        if self.past != "silence":
            return None
        return torch.zeros(batch, self.in_channels, self.context, device=device, dtype=dtype)

    def step(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """One chunk (B, C_in, T), T a multiple of ``stride``, and the state before it; returns both after it."""
        if state is None and self.past == "repeat":
            state = x[..., :1].expand(-1, -1, self.context)
        elif state is None:
            state = F.pad(x, (0, max(0, self.context + 1 - x.shape[-1])))[..., 1 : self.context + 1].flip(-1)
        x = torch.cat([state, x], dim=-1)
        return super().forward(x), x[..., x.shape[-1] - self.context :]


class CausalConvTranspose1d(nn.ConvTranspose1d):
    """A transposed convolution whose outputs ``t * stride ...`` depend on inputs up to frame t only.

    Input (B, C_in, T); output (B, C_out, T * stride). The tail that reaches past the last frame is the state.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, groups: int = 1, bias: bool = True
    ):
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups, bias=bias)
        self.tail = kernel - stride[0] if isinstance(stride, tuple) else kernel - stride
        assert self.tail >= 0, f"a kernel of {kernel} leaves gaps at stride {stride}"

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., : x.shape[-1] * self.stride[0]]

    def initial_state(self, batch: int, device=None, dtype=None) -> Tensor:
        """The tail of a silent past: (B, C_out, kernel - stride)."""
        return torch.zeros(batch, self.out_channels, self.tail, device=device, dtype=dtype)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One chunk (B, C_in, T) and the tail before it; returns (B, C_out, T * stride) and the tail after it."""
        y = F.conv_transpose1d(x, self.weight, None, self.stride, groups=self.groups)
        y = torch.cat([y[..., : self.tail] + state, y[..., self.tail :]], dim=-1)
        ready = x.shape[-1] * self.stride[0]
        out = y[..., :ready] if self.bias is None else y[..., :ready] + self.bias[:, None]
        return out, y[..., ready:]
