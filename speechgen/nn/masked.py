"""Convolutions on grids that see only what comes before in raster order: rows from the top, each left to right."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedConv2d(nn.Conv2d):
    """(B, C_in, H, W) -> (B, C_out, H, W): the masked convolution of PixelCNN (van den Oord et al. 2016, section 3.4).

    ``centre`` False is its mask A (a place does not see itself: the first layer), True its mask B (all others).
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3, dilation: int = 1, centre: bool = True):
        assert kernel % 2 == 1, f"a kernel of {kernel} has no centre"
        super().__init__(channels_in, channels_out, kernel, dilation=dilation, padding=dilation * (kernel // 2))
        mask = torch.ones(kernel, kernel)
        mask[kernel // 2, kernel // 2 + centre :] = 0
        mask[kernel // 2 + 1 :] = 0
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding, dilation=self.dilation)
