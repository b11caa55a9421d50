"""Finite scalar quantisation (Mentzer et al. 2023): codes by rounding, without a codebook that could collapse."""

from math import prod
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.tokenizers.bottleneck import Quantized, usage_facts

DEAD_BELOW = 0.1  # of the usage that an average code has


class FSQConfig(Config):
    """``levels``: steps of each dimension of a codebook; their product is the codebook's size.

    ``codebooks``: each one quantises what those before it left over. ``dropout``: share of training examples that
    use a random number of codebooks instead of all. ``continuous``: share that pass unquantised, so that one decoder
    serves codes and continuous latents alike. ``tie``: weight of the distance between latents and their quantised
    sum, which makes the two mean the same.
    """

    kind: Literal["fsq"] = "fsq"
    levels: tuple[Annotated[int, Field(ge=2)], ...] = Field((8, 5, 5, 5), min_length=1)
    codebooks: int = Field(8, ge=1)
    dropout: float = Field(0.5, ge=0, le=1)
    continuous: float = Field(0.3, ge=0, le=1)
    tie: float = Field(0.25, ge=0)


class FiniteScalars(nn.Module):
    """A grid of a few dimensions, each cut into levels of equal width; a code is the number of a grid point.

    The grid is symmetric: ``L`` levels lie at the middles of L equal parts of [-1, 1], so that odd and even
    numbers of levels need no separate treatment.
    """

    def __init__(self, levels: tuple[int, ...]):
        super().__init__()
        self.size = prod(levels)
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        steps = [prod(levels[:dimension]) for dimension in range(len(levels))]
        self.register_buffer("steps", torch.tensor(steps), persistent=False)

    def quantise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Any numbers (..., D) to grid points (..., D) in (-1, 1), with straight-through gradients, and codes (...)."""
        bounded = x.tanh()
        digits = self._digits(bounded.detach())
        return bounded + (self._middles(digits) - bounded).detach(), (digits * self.steps).sum(-1)

    def codes(self, values: Tensor) -> Tensor:
        """Values (..., D) in [-1, 1] to the codes (...) of the grid points nearest to them."""
        return (self._digits(values) * self.steps).sum(-1)

    def values(self, codes: Tensor) -> Tensor:
        """Codes (...) to grid points (..., D); exactly inverse to ``codes``."""
        return self._middles(codes[..., None] // self.steps % self.levels)

    def _digits(self, values: Tensor) -> Tensor:
        digits = ((values + 1) / 2 * self.levels).floor().long()
        return digits.clamp(min=0).minimum(self.levels - 1)

    def _middles(self, digits: Tensor) -> Tensor:
        return (2 * digits + 1) / self.levels - 1


class FiniteScalarQuantizer(nn.Module):
    """Codebooks of finite scalars in a residual chain: codebook k quantises what codebooks 0..k-1 left over."""

    def __init__(self, width: int, config: FSQConfig):
        super().__init__()
        self.config = config
        self.grid = FiniteScalars(config.levels)
        self.codebooks, self.codebook_size = config.codebooks, self.grid.size
        dimensions = len(config.levels)
        self.inlets = nn.ModuleList(nn.Linear(width, dimensions) for _ in range(config.codebooks))
        self.outlets = nn.ModuleList(nn.Linear(dimensions, width) for _ in range(config.codebooks))
        for outlet in self.outlets:  # as many random offsets as codebooks would add up to more than the latents
            nn.init.zeros_(outlet.bias)
        self.register_buffer("usage", torch.full((config.codebooks, self.codebook_size), 1 / self.codebook_size))

    def forward(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        """Training: (B, C, T) to what the decoder sees, codes (B, K, T) and the loss ``tie``."""
        with torch.autocast(latents.device.type, enabled=False):
            return self._train(latents.transpose(1, 2).float(), generator)

    def _train(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        batch, device = len(latents), latents.device
        draws = torch.rand(2, batch, generator=generator, device=device)
        fewer = torch.randint(1, self.codebooks + 1, (batch,), generator=generator, device=device)
        keep = torch.where(draws[0] < self.config.dropout, fewer, self.codebooks)
        continuous = draws[1] < self.config.continuous

        whole, kept, codes = torch.zeros_like(latents), torch.zeros_like(latents), []
        for level in range(self.codebooks):
            points, level_codes = self.grid.quantise(self.inlets[level](latents - whole))
            part = self.outlets[level](points)
            whole = whole + part
            kept = kept + part * (level < keep)[:, None, None]
            codes.append(level_codes)
            self._track(level, level_codes)
        values = torch.where(continuous[:, None, None], latents, kept)
        losses = {"tie": self.config.tie * F.mse_loss(whole, latents)}
        return Quantized(values.transpose(1, 2), torch.stack(codes, dim=1), losses, self.facts())

    def encode(self, latents: Tensor, codebooks: int | None = None) -> Tensor:
        """Latents (B, C, T) to codes (B, K, T) of the first ``codebooks`` codebooks, all by default."""
        residual, codes = latents.transpose(1, 2).float(), []
        for inlet, outlet in zip(self.inlets[:codebooks], self.outlets[:codebooks], strict=True):
            points, level_codes = self.grid.quantise(inlet(residual))
            residual = residual - outlet(points)
            codes.append(level_codes)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, K, T), K of at most all codebooks, to the sum of their parts (B, C, T)."""
        return sum(self.level(k, codes[:, k]) for k in range(codes.shape[1])).transpose(1, 2)

    def level(self, k: int, codes: Tensor) -> Tensor:
        """What codes (B, T) of codebook k add to the sum: (B, T, C)."""
        return self.outlets[k](self.grid.values(codes))

    def facts(self) -> dict[str, float]:
        """Perplexity and the share of codes in use, on average and of each codebook."""
        return usage_facts(self.usage, DEAD_BELOW)

    @torch.no_grad()
    def _track(self, level: int, codes: Tensor) -> None:
        counts = torch.bincount(codes.flatten(), minlength=self.codebook_size).float()
        self.usage[level].lerp_(counts / counts.sum(), 0.02)
