"""Transformer backbone with rotary positions and an explicit key/value cache.

Pre-norm RMSNorm, rotary positions (Su et al. 2021), SwiGLU (Shazeer 2020) or GELU MLPs, and two optional conditions:
a vector per sequence (added, or by AdaLN) and a memory read by cross-attention.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.nn.adaln import AdaptiveModulation, modulate
from speechgen.nn.attention import CrossAttention, SelfAttention, rotary_tables
from speechgen.nn.cache import Modulation, TransformerState, visible_to_step
from speechgen.nn.linear import Linear
from speechgen.nn.mlp import GELU, SwiGLU

Attention = Callable[[Tensor], Tensor]
MLPS = {"swiglu": SwiGLU, "gelu": GELU}


def check_heads(width: int, heads: int) -> None:
    """Raises ValueError for a width that does not divide by heads into an even size, which rotary positions want."""
    if width % (2 * heads):
        raise ValueError(f"width {width} does not divide into {heads} heads of even size")


class TransformerConfig(Config):
    """Shape of a ``Transformer``; ``width`` must divide by ``heads`` into an even size."""

    width: int = Field(320, gt=0)
    layers: int = Field(6, gt=0)
    heads: int = Field(5, gt=0)
    mlp: Literal["swiglu", "gelu"] = "swiglu"
    mlp_multiplier: float = Field(4.0, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    rotary_base: float = Field(10_000.0, gt=1)
    causal: bool = True
    condition: Literal["none", "add", "adaln"] = "none"
    condition_width: int | None = Field(None, gt=0)
    cross_attention: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_heads(self.width, self.heads)
        if (self.condition == "none") != (self.condition_width is None):
            raise ValueError("condition and condition_width belong together: give both or neither")
        return self

    @property
    def head_width(self) -> int:
        return self.width // self.heads


class Transformer(nn.Module):
    """Stack of self-attention layers with a final norm: (B, T, C) -> (B, T, C), C = ``config.width``."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=1e-5)
        self.add_condition = Linear(config.condition_width, config.width) if config.condition == "add" else None
        for name, weight in self.named_parameters():
            if name.endswith(("output.weight", "down.weight")):
                # Residual branches start small in proportion to depth (Radford et al. 2019, section 2.3).
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * config.layers))

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        condition: Tensor | None = None,
        visible: Tensor | None = None,
    ) -> Tensor:
        """Run whole sequences.

        x (B, T, C); mask (B, T) bool, True = real, with the padding on the right; memory (B, S, C) and memory_mask
        (B, S) for cross-attention; condition (B, condition_width). Outputs at padding are zero. ``visible`` (T, T)
        bool takes the place of the causal rule: which positions (columns) each one (rows) sees.
        """
        bias, modulations = self._condition(condition)
        rotary = self._rotary(x.shape[1], x.device)
        if mask is not None:
            x = x.masked_fill(~mask.unsqueeze(-1), 0.0)
        if bias is not None:
            x = x + bias
        if visible is None and mask is not None and not self.config.causal:
            # Under a causal mask padding on the right is never seen, and the fused kernel needs no explicit mask.
            visible = mask[:, None, None, :]
        for layer, read, modulation in zip(self.layers, self._memory(memory), modulations, strict=True):
            attend = partial(layer.attention, rotary=rotary, visible=visible, cache=None)
            cross = partial(layer.cross, memory=read, memory_mask=_attention_mask(memory_mask)) if read else None
            x = layer(x, attend, cross, modulation)
        x = self.norm(x)
        return x if mask is None else x.masked_fill(~mask.unsqueeze(-1), 0.0)

    @torch.no_grad()
    def initial_state(
        self,
        batch: int,
        max_length: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> TransformerState:
        """An empty cache for ``batch`` rows of at most ``max_length`` positions.

        Memory and condition (shapes as in ``forward``) are fixed for the life of the state, so their projections are
        computed here once. Device and dtype default to those of the weights.
        """
        if not self.config.causal:
            raise ValueError("only a causal transformer can run step by step")
        weight = self.norm.weight
        device, dtype = device or weight.device, dtype or weight.dtype
        shape = (len(self.layers), batch, self.config.heads, max_length, self.config.head_width)
        bias, modulations = self._condition(condition)
        return TransformerState(
            keys=torch.zeros(shape, device=device, dtype=dtype),
            values=torch.zeros(shape, device=device, dtype=dtype),
            rotary=tuple(table.to(dtype) for table in self._rotary(max_length, device)),
            memory=self._memory(memory),
            memory_mask=_attention_mask(memory_mask),
            modulations=modulations,
            bias=bias,
        )

    @torch.no_grad()
    def step(
        self, x: Tensor, state: TransformerState, mask: Tensor | None = None, together: bool = False
    ) -> tuple[Tensor, TransformerState]:
        """Continue by x (B, T_new, C), a whole prompt or one position; equals ``forward`` on everything so far.

        mask (B, T_new) bool hides positions from all later ones: prompts of unequal length are padded on the left.
        ``together``: the new positions all see each other, as the positions of one scale do.
        Raises ValueError when the cache is full.
        """
        start, end = state.length, state.length + x.shape[1]
        if end > state.max_length:
            raise ValueError(f"{end} positions do not fit in a state made for {state.max_length}")
        rotary = tuple(table[start:end] for table in state.rotary)
        visible = visible_to_step(state, start, end, mask)
        if together:
            visible = torch.ones(1, 1, end - start, end, dtype=torch.bool, device=x.device)
        if state.bias is not None:
            x = x + state.bias
        for index, layer in enumerate(self.layers):
            cache = (state.keys[index], state.values[index], start)
            attend = partial(layer.attention, rotary=rotary, visible=visible, cache=cache)
            read = state.memory[index]
            cross = partial(layer.cross, memory=read, memory_mask=state.memory_mask) if read else None
            x = layer(x, attend, cross, state.modulations[index])
        state.length = end
        return self.norm(x), state

    @torch.no_grad()
    def step_together(self, xs: list[Tensor], states: list[TransformerState]) -> list[Tensor]:
        """``step`` by one position, x (B, 1, C), of sequences that have come differently far: one pass through the
        matrices, where the time goes, and each its own attention. Raises ValueError when a cache is full.
        """
        for state in states:
            if state.length == state.max_length:
                raise ValueError(f"{state.length + 1} positions do not fit in a state made for {state.max_length}")
        ends = [(state.length, state.length + 1) for state in states]
        rotaries = [tuple(table[a:b] for table in state.rotary) for state, (a, b) in zip(states, ends)]
        visibles = [visible_to_step(state, a, b, None) for state, (a, b) in zip(states, ends)]
        x = torch.cat([x if state.bias is None else x + state.bias for x, state in zip(xs, states, strict=True)])
        for index, layer in enumerate(self.layers):
            caches = [(state.keys[index], state.values[index], state.length) for state in states]
            attend = partial(layer.attention.together, pasts=list(zip(rotaries, visibles, caches)))
            memories = [(state.memory[index], state.memory_mask) for state in states]
            cross = partial(layer.cross.together, memories=memories) if layer.cross else None
            modulations = [state.modulations[index] for state in states]
            shared = None if modulations[0] is None else tuple(map(torch.cat, zip(*modulations)))
            x = layer(x, attend, cross, shared)
        for state in states:
            state.length += 1
        return list(self.norm(x).split([len(one) for one in xs]))

    def _rotary(self, length: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
        return rotary_tables(length, self.config.head_width, self.config.rotary_base, device)

    def _memory(self, memory: Tensor | None) -> list[tuple[Tensor, Tensor] | None]:
        if (memory is not None) != self.config.cross_attention:
            raise ValueError("a memory is needed with cross_attention, and only then")
        return [layer.cross.project_memory(memory) if memory is not None else None for layer in self.layers]

    def _condition(self, condition: Tensor | None) -> tuple[Tensor | None, list[Modulation | None]]:
        if (condition is None) != (self.config.condition == "none"):
            raise ValueError(f"config says condition: {self.config.condition}, a vector was {_given(condition)}")
        if self.add_condition is not None:
            return self.add_condition(condition).unsqueeze(1), [None] * len(self.layers)
        if condition is None:
            return None, [None] * len(self.layers)
        return None, [layer.modulation(condition.unsqueeze(1)) for layer in self.layers]


class Layer(nn.Module):
    """Self-attention, optional cross-attention, MLP; each on a normalised branch beside the residual."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=1e-5)
        self.attention = SelfAttention(config.width, config.heads, config.causal, config.dropout)
        self.cross_norm = nn.RMSNorm(config.width, eps=1e-5) if config.cross_attention else None
        self.cross = CrossAttention(config.width, config.heads, config.dropout) if config.cross_attention else None
        self.mlp_norm = nn.RMSNorm(config.width, eps=1e-5)
        self.mlp = MLPS[config.mlp](config.width, config.mlp_multiplier)
        self.dropout = nn.Dropout(config.dropout)
        if config.condition == "adaln":
            self.modulation = AdaptiveModulation(config.condition_width, config.width, parts=6)

    def forward(self, x: Tensor, attend: Attention, cross: Attention | None, modulation: Modulation | None) -> Tensor:
        """x (B, T, C); ``attend`` and ``cross`` are this layer's attentions, told what they may look at."""
        branch = self.attention_norm(x)
        if modulation is not None:
            branch = modulate(branch, modulation[0], modulation[1])
        branch = self.dropout(attend(branch))
        x = x + (branch if modulation is None else branch * modulation[2])
        if cross is not None:
            x = x + self.dropout(cross(self.cross_norm(x)))
        branch = self.mlp_norm(x)
        if modulation is not None:
            branch = modulate(branch, modulation[3], modulation[4])
        branch = self.dropout(self.mlp(branch))
        return x + (branch if modulation is None else branch * modulation[5])


def _attention_mask(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask[:, None, None, :]


def _given(value: Tensor | None) -> str:
    return "not given" if value is None else "given"
