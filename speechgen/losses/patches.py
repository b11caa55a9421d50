"""Networks that tell real grids from made ones, patch by patch (PatchGAN, Isola et al. 2017), at several sizes."""

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from speechgen.config import Config
from speechgen.losses.discriminators import LEAK, Features
from speechgen.nn.convolution import CONVOLUTIONS


class PatchConfig(Config):
    """``sizes``: discriminators, each seeing the grid at half the size of the one before. ``layers`` halve it, too, and
    are ``channels`` wide at first, then twice as wide each, so that a logit judges a patch of the grid."""

    sizes: int = Field(1, ge=1)
    layers: int = Field(2, ge=1)
    channels: int = Field(16, ge=1)


class PatchDiscriminators(nn.Module):
    """Grids (B, C, *sides) to the feature maps of each discriminator, the last of each its logits (B, 1, ...)."""

    def __init__(self, config: PatchConfig, channels: int, dimensions: int = 2):
        super().__init__()
        self.members = nn.ModuleList(_layers(config, channels, dimensions) for _ in range(config.sizes))
        self.shrink = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[dimensions - 1]

    def forward(self, grid: Tensor) -> Features:
        features = []
        for number, member in enumerate(self.members):
            hidden = self.shrink(grid, 2**number) if number else grid
            maps = []
            for layer in member[:-1]:
                hidden = F.leaky_relu(layer(hidden), LEAK)
                maps.append(hidden)
            features.append([*maps, member[-1](hidden)])
        return features


def _layers(config: PatchConfig, channels: int, dimensions: int) -> nn.ModuleList:
    convolution = CONVOLUTIONS[dimensions]
    widths = [channels, *(config.channels * 2**layer for layer in range(config.layers))]
    layers = [convolution(a, b, 4, 2, padding=1) for a, b in zip(widths, widths[1:])]
    layers += [convolution(widths[-1], widths[-1], 3, padding=1), convolution(widths[-1], 1, 3, padding=1)]
    return nn.ModuleList(spectral_norm(layer) for layer in layers)
