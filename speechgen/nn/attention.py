"""Multi-head attention: over the sequence itself with rotary positions (Su et al. 2021), and over a memory."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechgen.nn.linear import Linear

Cache = tuple[Tensor, Tensor, int]  # keys and values (B, heads, longest, head width), and where the new ones begin
Past = tuple[tuple[Tensor, Tensor], Tensor | None, Cache]  # rotary tables, what is visible, and the cache


class SelfAttention(nn.Module):
    """Multi-head self-attention with rotary positions; one matrix makes queries, keys and values."""

    def __init__(self, width: int, heads: int, causal: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.dropout = dropout
        self.qkv = Linear(width, 3 * width, bias=False)
        self.output = Linear(width, width, bias=False)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        visible: Tensor | None,
        cache: Cache | None,
    ) -> Tensor:
        return self.output(self._attend(self.qkv(x), rotary, visible, cache))

    def together(self, x: Tensor, pasts: list[Past]) -> Tensor:
        """One position each, x (B, 1, C), of sequences that share the matrices and have a past of their own."""
        parts = self.qkv(x).split([len(cache[0]) for _, _, cache in pasts])
        return self.output(torch.cat([self._attend(part, *past) for part, past in zip(parts, pasts, strict=True)]))

    def _attend(
        self, parts: Tensor, rotary: tuple[Tensor, Tensor], visible: Tensor | None, cache: Cache | None
    ) -> Tensor:
        batch, length, width = parts.shape
        parts = parts.view(batch, length, 3 * self.heads, width // (3 * self.heads)).transpose(1, 2)
        queries, keys = rotate(parts[:, : 2 * self.heads], rotary).chunk(2, dim=1)
        values = parts[:, 2 * self.heads :]
        causal = self.causal and visible is None
        if cache is not None:
            all_keys, all_values, start = cache
            end = start + length
            all_keys[:, :, start:end] = keys
            all_values[:, :, start:end] = values
            keys, values = all_keys[:, :, :end], all_values[:, :, :end]
            # A first prompt needs the causal mask; one new position sees all; anything else brings its own mask.
            causal = visible is None and length > 1
        y = F.scaled_dot_product_attention(
            queries, keys, values, visible, dropout_p=self.dropout if self.training else 0.0, is_causal=causal
        )
        return y.transpose(1, 2).reshape(batch, length, width // 3)


class CrossAttention(nn.Module):
    """Multi-head attention from (B, T, C) to a memory (B, S, C); rows whose memory is all masked read zeros."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = Linear(width, width, bias=False)
        self.key_value = Linear(width, 2 * width, bias=False)
        self.output = Linear(width, width, bias=False)

    def project_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, S, head width) of a memory (B, S, C)."""
        keys, values = self.key_value(memory).unflatten(-1, (2 * self.heads, -1)).transpose(1, 2).chunk(2, dim=1)
        return keys, values

    def forward(self, x: Tensor, memory: tuple[Tensor, Tensor], memory_mask: Tensor | None) -> Tensor:
        return self.output(self._read(self.query(x), memory, memory_mask))

    def together(self, x: Tensor, memories: list[tuple[tuple[Tensor, Tensor], Tensor | None]]) -> Tensor:
        """Sequences x (B, T, C) that share the matrices and read memories of their own: each with its mask."""
        queries = self.query(x).split([len(keys) for (keys, _), _ in memories])
        return self.output(torch.cat([self._read(part, *own) for part, own in zip(queries, memories, strict=True)]))

    def _read(self, queries: Tensor, memory: tuple[Tensor, Tensor], memory_mask: Tensor | None) -> Tensor:
        queries = queries.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(queries, *memory, memory_mask, dropout_p=dropout)
        return y.transpose(1, 2).flatten(2)


def rotary_tables(
    length: int, head_width: int, base: float, device: torch.device | str | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines (length, head width) for ``rotate``, float32."""
    half = head_width // 2
    frequencies = base ** (-torch.arange(half, dtype=torch.float32, device=device) / half)
    angles = torch.outer(torch.arange(length, dtype=torch.float32, device=device), frequencies)
    cosines, sines = angles.cos(), angles.sin()
    return torch.cat([cosines, cosines], dim=-1), torch.cat([-sines, sines], dim=-1)


def rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate pairs (i, i + half) of the last axis of x (..., T, head width) by the angles of their position."""
    cosines, sines = tables
    # Rolling by half the width swaps the members of each pair; the sign of the swap is in the sine table.
    return torch.addcmul(x * cosines, x.roll(x.shape[-1] // 2, dims=-1), sines).to(x.dtype)


def sinusoids(memory: Tensor) -> Tensor:
    """Positions (S, C) to add to a memory (B, S, C), so that attention can tell a vector from its twin further on."""
    half = memory.shape[-1] // 2
    rates = 10000.0 ** (-torch.arange(half, device=memory.device) / half)
    angles = torch.arange(memory.shape[1], device=memory.device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1).to(memory)
