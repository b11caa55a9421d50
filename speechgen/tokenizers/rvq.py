"""Residual vector quantisation with low-dimensional normalised codes (Kumar et al. 2023, DAC, section 3.2)."""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.tokenizers.bottleneck import Quantized, usage_facts


class RVQConfig(Config):
    """``dropout``: share of training examples that use a random number of codebooks instead of all.

    ``continuous``: share that pass unquantised with ``noise`` (in standard deviations) added, so that one decoder
    serves codes and continuous latents alike. ``start_step``: the step of k-means, everything before is continuous.
    ``revive_below``: a code used less than this ratio of uniform usage is dead and is replaced.
    """

    kind: Literal["rvq"] = "rvq"
    codebooks: PositiveInt = 12
    codebook_size: PositiveInt = 1024
    code_width: PositiveInt = 8
    dropout: float = 0.5
    continuous: float = 0.3
    noise: float = 0.1
    start_step: int = 50
    revive_below: float = 0.1
    revive_every: PositiveInt = 10
    commitment: float = 0.25


class Codebook(nn.Module):
    """One level: project to a few dimensions, take the code of nearest direction, project back."""

    def __init__(self, width: int, config: RVQConfig):
        super().__init__()
        self.inlet = nn.Linear(width, config.code_width)
        self.codes = nn.Parameter(torch.randn(config.codebook_size, config.code_width))
        self.outlet = nn.Linear(config.code_width, width)

    def nearest(self, projected: Tensor) -> Tensor:
        """(N, code_width) to code numbers (N,), by cosine."""
        return (F.normalize(projected, dim=-1) @ F.normalize(self.codes, dim=-1).T).argmax(-1)

    def lookup(self, codes: Tensor) -> Tensor:
        """Code numbers (...) to latents (..., width)."""
        return self.outlet(self.codes[codes])

    @torch.no_grad()
    def start(self, projected: Tensor, generator: torch.Generator, rounds: int = 8) -> None:
        """Spherical k-means on (N, code_width); entries that nothing is near keep their random example."""
        size = len(self.codes)
        picks = torch.randint(len(projected), (size,), generator=generator, device=projected.device)
        self.codes.copy_(projected[picks])
        for _ in range(rounds):
            nearest = self.nearest(projected)
            sums = torch.zeros_like(self.codes).index_add_(0, nearest, projected)
            counts = torch.bincount(nearest, minlength=size)[:, None]
            self.codes.copy_(torch.where(counts > 0, sums / counts.clamp_min(1), self.codes))

    @torch.no_grad()
    def revive(self, dead: Tensor, projected: Tensor, generator: torch.Generator) -> None:
        """Replace the dead codes (a bool per code) by random examples of what is projected now."""
        picks = torch.randint(len(projected), (int(dead.sum()),), generator=generator, device=projected.device)
        self.codes[dead] = projected[picks]


class ResidualVectorQuantizer(nn.Module):
    """Codebook k quantises what codebooks 0..k-1 left over."""

    def __init__(self, width: int, config: RVQConfig):
        super().__init__()
        self.config = config
        self.codebooks, self.codebook_size = config.codebooks, config.codebook_size
        self.levels = nn.ModuleList(Codebook(width, config) for _ in range(config.codebooks))
        self.register_buffer("usage", torch.full((config.codebooks, config.codebook_size), 1 / config.codebook_size))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        with torch.autocast(latents.device.type, enabled=False):
            return self._train(latents.float(), generator)

    def _train(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        batch, width, steps = latents.shape
        flat = latents.transpose(1, 2).reshape(-1, width)
        noisy = flat + self.config.noise * flat.detach().std(0) * _normal(flat, generator)
        seen = int(self.seen)
        self.seen += 1
        if seen < self.config.start_step:
            return Quantized(_unflatten(noisy, batch), None, {}, {})

        # How many codebooks each example keeps; none at all for those that pass unquantised.
        keep = torch.full((batch,), self.codebooks, device=flat.device)
        fewer = torch.randint(1, self.codebooks + 1, (batch,), generator=generator, device=flat.device)
        draw = torch.rand(2, batch, generator=generator, device=flat.device)
        keep = torch.where(draw[0] < self.config.dropout, fewer, keep).repeat_interleave(steps)
        continuous = (draw[1] < self.config.continuous).repeat_interleave(steps)[:, None]

        residual, total = flat, torch.zeros_like(flat)
        codes, codebook_loss, commitment_loss = [], 0.0, 0.0
        for level, codebook in enumerate(self.levels):
            used = (level < keep)[:, None]
            projected = codebook.inlet(residual)
            if seen == self.config.start_step:
                codebook.start(projected.detach(), generator)
            index = codebook.nearest(projected.detach())
            chosen = codebook.codes[index]
            codebook_loss = codebook_loss + ((chosen - projected.detach()) ** 2 * used).mean()
            commitment_loss = commitment_loss + ((chosen.detach() - projected) ** 2 * used).mean()
            quantised = codebook.outlet(projected + (chosen - projected).detach())  # straight-through
            total = total + quantised * used
            residual = residual - quantised.detach()
            codes.append(index)
            self._track(level, index, projected.detach(), seen, generator)
        # The encoder is drawn to the full quantised sum, so that codes and continuous latents mean the same.
        tie = F.mse_loss(flat, total.detach(), reduction="none")[keep == self.codebooks]
        losses = {
            "codebook": codebook_loss / self.codebooks,
            "commitment": self.config.commitment * commitment_loss / self.codebooks,
            "tie": self.config.commitment * (tie.mean() if len(tie) else flat.sum() * 0),
        }
        values = torch.where(continuous, noisy, total)
        return Quantized(
            _unflatten(values, batch), torch.stack(codes).view(-1, batch, steps).transpose(0, 1), losses, self.facts()
        )

    def encode(self, latents: Tensor, codebooks: int | None = None) -> Tensor:
        """Latents (B, C, T) to codes (B, K, T), with the first ``codebooks`` levels."""
        residual, codes = latents.transpose(1, 2).float(), []
        for codebook in self.levels[:codebooks]:
            projected = codebook.inlet(residual)
            index = codebook.nearest(projected.flatten(0, 1)).view(residual.shape[:2])
            residual = residual - codebook.lookup(index)
            codes.append(index)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, K, T), K of at most all codebooks, to the sum of their levels (B, C, T)."""
        return sum(self.level(k, codes[:, k]) for k in range(codes.shape[1])).transpose(1, 2)

    def level(self, k: int, codes: Tensor) -> Tensor:
        """What codes (B, T) of codebook k add to the sum: (B, T, C)."""
        return self.levels[k].lookup(codes)

    def facts(self) -> dict[str, float]:
        """Perplexity and the share of codes in use, on average and of each codebook."""
        return usage_facts(self.usage, self.config.revive_below)

    @torch.no_grad()
    def _track(self, level: int, index: Tensor, projected: Tensor, seen: int, generator: torch.Generator) -> None:
        counts = torch.bincount(index, minlength=self.codebook_size).float()
        self.usage[level].lerp_(counts / counts.sum(), 0.02)
        since = seen - self.config.start_step
        frozen = not self.levels[level].codes.requires_grad
        if not frozen and since > 0 and since % self.config.revive_every == 0:
            dead = self.usage[level] * self.codebook_size < self.config.revive_below
            self.levels[level].revive(dead, projected, generator)
            self.usage[level][dead] = 1 / self.codebook_size


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device)


def _unflatten(flat: Tensor, batch: int) -> Tensor:
    return flat.view(batch, -1, flat.shape[-1]).transpose(1, 2)
