"""Encoders and decoders over grids of one, two or three dimensions: ConvNeXt blocks between strided convolutions."""

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.nn.convnext import ConvNeXtStack
from speechgen.nn.convolution import CONVOLUTIONS, TRANSPOSED

KERNEL = 3  # of the blocks: grids are small
Strides = Sequence[int | tuple[int, ...]]  # one for all dimensions, or one for each


def check_strides(side: int, strides: Sequence[int]) -> None:
    """Raises ValueError where a grid of so many pixels cannot be divided by all strides and come back whole."""
    if side % prod(strides):
        raise ValueError(f"strides {tuple(strides)} do not divide the side of {side} pixels")


class GridEncoder(nn.Module):
    """(B, channels in, *sides) to (B, channels out, *sides / product of the strides)."""

    def __init__(
        self, channels_in: int, width: int, channels_out: int, strides: Strides, blocks: int, dimensions: int = 2
    ) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[dimensions]
        layers: list[nn.Module] = [convolution(channels_in, width, KERNEL, padding=KERNEL // 2)]
        for stride in strides:
            layers += [_blocks(width, blocks, dimensions), convolution(width, width, stride, stride)]
        layers += [_blocks(width, blocks, dimensions), convolution(width, channels_out, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class GridDecoder(nn.Module):
    """The way back: (B, channels in, *sides) to (B, channels out, *sides * product of the strides)."""

    def __init__(
        self, channels_in: int, width: int, channels_out: int, strides: Strides, blocks: int, dimensions: int = 2
    ) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[dimensions]
        layers: list[nn.Module] = [convolution(channels_in, width, 1), _blocks(width, blocks, dimensions)]
        for stride in reversed(strides):
            layers += [TRANSPOSED[dimensions](width, width, stride, stride), _blocks(width, blocks, dimensions)]
        layers += [convolution(width, channels_out, KERNEL, padding=KERNEL // 2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class FoldFrames(nn.Module):
    """Frames (B, C, T, H, W) to (B, C * patch^2, T, H / patch, W / patch), or with ``back`` the other way: convolutions
    over time and space at full size cost a CPU more than all that follows."""

    def __init__(self, patch: int, back: bool = False) -> None:
        super().__init__()
        self.patch, self.turn = patch, F.pixel_shuffle if back else F.pixel_unshuffle

    def forward(self, x: Tensor) -> Tensor:
        return self.turn(x.transpose(1, 2), self.patch).transpose(1, 2)


def over_sequence(grid: Tensor) -> tuple[Tensor, torch.Size]:
    """A grid (B, C, *sides) as a sequence (B, C, T) in raster order, and its sides."""
    return grid.flatten(2), grid.shape[2:]


def _blocks(width: int, blocks: int, dimensions: int) -> nn.Module:
    return ConvNeXtStack(width, blocks, KERNEL, causal=False, dimensions=dimensions) if blocks else nn.Identity()
