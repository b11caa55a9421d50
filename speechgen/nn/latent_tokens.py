"""A grid as a few tokens without places (TiTok, Yu et al. 2024): queries read patches, masks become patches."""

import torch
from torch import Tensor, nn

from speechgen.nn.transformer import Transformer, TransformerConfig


class TokenEncoder(nn.Module):
    """(B, channels, side, side) to (B, channels out, tokens), by queries that stand behind the patches."""

    def __init__(
        self, channels: int, width: int, channels_out: int, side: int, patch: int, tokens: int, layers: int
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.places = nn.Parameter(0.02 * torch.randn((side // patch) ** 2 + tokens, width))
        self.transformer = _transformer(width, layers)
        self.output = nn.Linear(width, channels_out)
        self.tokens = tokens

    def forward(self, grid: Tensor) -> Tensor:
        patches = self.patches(grid).flatten(2).transpose(1, 2)
        queries = patches.new_zeros(len(patches), self.tokens, patches.shape[2])
        z = self.transformer(torch.cat([patches, queries], dim=1) + self.places)
        return self.output(z[:, -self.tokens :]).transpose(1, 2)


class TokenDecoder(nn.Module):
    """The way back: (B, channels in, tokens) to (B, channels, side, side), by masks that stand behind the tokens."""

    def __init__(
        self, channels_in: int, width: int, channels: int, side: int, patch: int, tokens: int, layers: int
    ) -> None:
        super().__init__()
        self.grid = side // patch
        self.input = nn.Linear(channels_in, width)
        self.places = nn.Parameter(0.02 * torch.randn(tokens + self.grid**2, width))
        self.transformer = _transformer(width, layers)
        self.pixels = nn.ConvTranspose2d(width, channels, patch, patch)

    def forward(self, tokens: Tensor) -> Tensor:
        known = self.input(tokens.transpose(1, 2))
        masks = known.new_zeros(len(known), self.grid**2, known.shape[2])
        z = self.transformer(torch.cat([known, masks], dim=1) + self.places)
        return self.pixels(z[:, -(self.grid**2) :].transpose(1, 2).unflatten(2, (self.grid, self.grid)))


def _transformer(width: int, layers: int) -> Transformer:
    return Transformer(TransformerConfig(width=width, layers=layers, heads=max(1, width // 16), causal=False))
