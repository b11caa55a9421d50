"""A transformer between convolutions: causal, with a window, so that a stream of any length runs in constant memory.

As in Mimi (Défossez et al. 2024, section 3.3): layer norms, rotary positions, and branches that are scaled per channel.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from speechgen.config import Config
from speechgen.nn.attention import rotary_tables, rotate

State = list[tuple[Tensor, Tensor]]


class WindowedConfig(Config):
    """``window``: a frame attends to itself and to the ``window - 1`` frames before it."""

    layers: PositiveInt = 8
    heads: PositiveInt = 8
    mlp_width: PositiveInt = 2048
    window: PositiveInt = 250
    rotary_base: float = 10_000.0
    scale: float = 0.01


class WindowedTransformer(nn.Module):
    """(B, C, T) to (B, C, T). The state holds each layer's keys and values of the last frames, not yet rotated."""

    def __init__(self, width: int, config: WindowedConfig):
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(WindowedLayer(width, config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x, self.initial_state(len(x), x.device, x.dtype))[0]

    def initial_state(self, batch: int, device=None, dtype=None) -> State:
        heads = self.config.heads
        empty = [torch.zeros(batch, heads, 0, layer.head_width, device=device, dtype=dtype) for layer in self.layers]
        return [(one, one) for one in empty]

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x, after = x.transpose(1, 2), []
        for layer, past in zip(self.layers, state, strict=True):
            x, past = layer(x, past)
            after.append(past)
        return x.transpose(1, 2), after


class WindowedLayer(nn.Module):
    """Attention and an MLP, each on what a layer norm gives, each scaled and added."""

    def __init__(self, width: int, config: WindowedConfig):
        super().__init__()
        self.config, self.head_width = config, width // config.heads
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries, self.keys, self.values, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.up = nn.Linear(width, config.mlp_width, bias=False)
        self.down = nn.Linear(config.mlp_width, width, bias=False)
        self.attention_scale = nn.Parameter(torch.full((width,), config.scale))
        self.mlp_scale = nn.Parameter(torch.full((width,), config.scale))

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, T, C) and the keys and values (B, heads, past, head width) before it; both after it."""
        normed = self.attention_norm(x)
        queries, keys, values = (self._heads(one(normed)) for one in (self.queries, self.keys, self.values))
        keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
        # Positions count from the oldest frame kept: only their distances matter, and they never grow large.
        first = keys.shape[2] - x.shape[1]
        cosine, sine = rotary_tables(keys.shape[2], self.head_width, self.config.rotary_base, x.device)
        rotated = rotate(queries, (cosine[first:], sine[first:])), rotate(keys, (cosine, sine))
        place = torch.arange(keys.shape[2], device=x.device)
        back = place[first:, None] - place
        mixed = F.scaled_dot_product_attention(*rotated, values, (back >= 0) & (back < self.config.window))
        x = x + self.attention_scale * self.output(mixed.transpose(1, 2).flatten(2))
        x = x + self.mlp_scale * self.down(F.gelu(self.up(self.mlp_norm(x))))
        kept = max(0, keys.shape[2] - self.config.window + 1)
        return x, (keys[:, :, kept:], values[:, :, kept:])

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.config.heads, self.head_width)).transpose(1, 2)
