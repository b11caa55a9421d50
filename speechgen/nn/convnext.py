"""ConvNeXt blocks over time, or over a grid (Liu et al. 2022; in 1-D as in Vocos, Siuzdak 2023, section 3.2)."""

import torch
from torch import Tensor, nn

from speechgen.nn.convolution import CONVOLUTIONS, CausalConv1d


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, layer norm, and an MLP with a learned scale, added to the input.

    (B, C, T) in and out, or (B, C, *grid) with as many ``dimensions``. Causal blocks, of one dimension, stream; others
    see ``kernel // 2`` positions ahead. ``hidden``: the MLP's width, four times the block's unless given.
    """

    def __init__(
        self,
        width: int,
        kernel: int = 7,
        causal: bool = True,
        scale: float = 0.1,
        dropout: float = 0.0,
        hidden: int | None = None,
        dimensions: int = 1,
    ):
        super().__init__()
        assert dimensions == 1 or not causal, "what is causal has one dimension"
        if causal:
            self.depthwise = CausalConv1d(width, width, kernel, groups=width)
        else:
            self.depthwise = CONVOLUTIONS[dimensions](width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        hidden = hidden or 4 * width
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width))
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:
        # float32: oneDNN's bf16 depthwise convolution takes a slow path at some lengths (10 x 256 x 742, kernel 9,
        # forward and backward on two Zen 4 cores: 661 ms against 17 ms).
        with torch.autocast(x.device.type, enabled=False):
            y = self.depthwise(x.float())
        return x + self._mix(y)

    def initial_state(self, batch: int, device=None, dtype=None) -> Tensor:
        return self.depthwise.initial_state(batch, device, dtype)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            y, state = self.depthwise.step(x.float(), state)
        return x + self._mix(y), state

    def _mix(self, y: Tensor) -> Tensor:
        return (self.scale * self.mlp(self.norm(y.movedim(1, -1)))).movedim(-1, 1)


class ConvNeXtStack(nn.Module):
    """Blocks one after another; the state is the list of theirs."""

    def __init__(
        self,
        width: int,
        blocks: int,
        kernel: int = 7,
        causal: bool = True,
        dropout: float = 0.0,
        hidden: int | None = None,
        dimensions: int = 1,
    ):
        super().__init__()
        # A block's first contribution is scaled by 1 / blocks, so that the stack starts near the identity.
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, kernel, causal, 1 / blocks, dropout, hidden, dimensions) for _ in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x

    def initial_state(self, batch: int, device=None, dtype=None) -> list[Tensor]:
        return [block.initial_state(batch, device, dtype) for block in self.blocks]

    def step(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        after = []
        for block, past in zip(self.blocks, state, strict=True):
            x, past = block.step(x, past)
            after.append(past)
        return x, after
