"""Residual vector quantisation by plain distance: EnCodec's (Défossez et al. 2022, section 3.2), and Mimi's in two."""

from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.tokenizers.bottleneck import Quantized, usage_facts

DEAD_BELOW = 0.1  # of the usage that an average code has


class EuclideanConfig(Config):
    """``apart``: so many first codebooks, Mimi's semantic ones, quantise the latents by themselves; the others quantise
    the same latents beside them. ``code_width``: of a code, when the latents are projected to it; None: as they are.
    """

    kind: Literal["euclidean"] = "euclidean"
    codebooks: PositiveInt = 32
    codebook_size: PositiveInt = 1024
    code_width: PositiveInt | None = None
    apart: int = Field(0, ge=0)
    dropout: float = Field(0.5, ge=0, le=1)
    commitment: float = Field(0.25, ge=0)


class EuclideanQuantizer(nn.Module):
    """Codebook k of a group quantises what the group's codebooks before it left over."""

    def __init__(self, width: int, config: EuclideanConfig):
        super().__init__()
        self.config = config
        self.codebooks, self.codebook_size = config.codebooks, config.codebook_size
        sizes = [config.apart, config.codebooks - config.apart] if config.apart else [config.codebooks]
        self.groups = nn.ModuleList(Group(width, size, config) for size in sizes)
        self.register_buffer("usage", torch.full((config.codebooks, config.codebook_size), 1 / config.codebook_size))

    def forward(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        """Training, from codes that are there: straight-through, with fewer codebooks for some examples."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.transpose(1, 2).float()
            draws = torch.rand(2, len(latents), generator=generator, device=latents.device)
            fewer = 1 + (draws[0] * self.codebooks).long()
            keep = torch.where(draws[1] < self.config.dropout, fewer, self.codebooks)[:, None, None]
            codes, total, losses = [], torch.zeros_like(latents), {"codebook": 0.0, "commitment": 0.0}
            for group in self.groups:
                residual, part = group.inlet(latents), 0.0
                for book in group.codes:
                    index = _nearest(residual, book)
                    chosen, used = book[index], len(codes) < keep
                    losses["codebook"] += ((chosen - residual.detach()) ** 2 * used).mean() / self.codebooks
                    losses["commitment"] += ((chosen.detach() - residual) ** 2 * used).mean() / self.codebooks
                    part = part + (residual + (chosen - residual).detach()) * used
                    residual = residual - chosen.detach()
                    self._track(len(codes), index)
                    codes.append(index)
                total = total + group.outlet(part)
            losses["commitment"] *= self.config.commitment
        facts = usage_facts(self.usage, DEAD_BELOW)
        return Quantized(total.transpose(1, 2), torch.stack(codes, dim=1), losses, facts)

    def encode(self, latents: Tensor, codebooks: int | None = None) -> Tensor:
        """Latents (B, C, T) to codes (B, K, T) of the first ``codebooks`` codebooks, all by default."""
        latents, codes = latents.transpose(1, 2).float(), []
        for group in self.groups:
            residual = group.inlet(latents)
            for book in group.codes:
                if len(codes) < (codebooks or self.codebooks):
                    codes.append(_nearest(residual, book))
                    residual = residual - book[codes[-1]]
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, K, T), K of at most all codebooks, to the sum of their levels (B, C, T)."""
        total, first = 0.0, 0
        for group in self.groups:
            mine = codes[:, first : first + len(group.codes)]
            if mine.shape[1]:
                total = total + group.outlet(sum(group.codes[k][mine[:, k]] for k in range(mine.shape[1])))
            first += len(group.codes)
        return total.transpose(1, 2)

    def level(self, k: int, codes: Tensor) -> Tensor:
        """What codes (B, T) of codebook k add to the sum: (B, T, C)."""
        for group in self.groups:
            if k < len(group.codes):
                return group.outlet(group.codes[k][codes])
            k -= len(group.codes)
        raise IndexError(k)

    @torch.no_grad()
    def _track(self, level: int, codes: Tensor) -> None:
        counts = torch.bincount(codes.flatten(), minlength=self.codebook_size).float()
        self.usage[level].lerp_(counts / counts.sum(), 0.02)


class Group(nn.Module):
    """Codebooks (K, size, width) in a chain, behind one projection and before another."""

    def __init__(self, width: int, codebooks: int, config: EuclideanConfig):
        super().__init__()
        code_width = config.code_width or width
        projected = config.code_width is not None
        self.inlet = nn.Linear(width, code_width, bias=False) if projected else nn.Identity()
        self.codes = nn.Parameter(torch.randn(codebooks, config.codebook_size, code_width) * code_width**-0.5)
        self.outlet = nn.Linear(code_width, width, bias=False) if projected else nn.Identity()


def _nearest(vectors: Tensor, book: Tensor) -> Tensor:
    """(B, T, width) to the numbers (B, T) of the codes (size, width) at the least distance."""
    return (2 * vectors @ book.T - book.square().sum(1)).argmax(-1)
