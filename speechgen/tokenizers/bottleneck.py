"""What stands between an encoder and a decoder: the interface of RVQ, FSQ and VAE."""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor


@dataclass
class Quantized:
    """A bottleneck's training output: what the decoder sees (B, C, T), codes (B, K, T) if any, losses and facts."""

    values: Tensor
    codes: Tensor | None
    losses: dict[str, Tensor] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)


def usage_facts(usage: Tensor, dead_below: float) -> dict[str, float]:
    """Perplexity and share of codes in use, from how often each code was used lately (K, codebook_size): the means,
    and each codebook's own. Both collapse before the ear hears it. Codes below that ratio of uniform usage are dead.
    """
    share = usage / usage.sum(-1, keepdim=True)
    perplexity = (-(share * share.clamp_min(1e-10).log()).sum(-1)).exp()
    alive = (share * usage.shape[1] > dead_below).float().mean(-1)
    facts = {"perplexity": perplexity.mean().item(), "codes_in_use": alive.mean().item()}
    for name, values in (("perplexity", perplexity), ("codes_in_use", alive)):
        facts |= {f"{name}/{k + 1:02d}": value for k, value in enumerate(values.tolist())}
    return facts


class Bottleneck(Protocol):
    """``codebooks`` is 0 for a continuous bottleneck, whose encode and decode pass the mean."""

    codebooks: int
    codebook_size: int

    def __call__(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        """Training: (B, C, T) in, with dropout of codebooks, noise and losses."""

    def encode(self, latents: Tensor, codebooks: int | None = None) -> Tensor:
        """(B, C, T) to codes (B, K, T) long."""

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, K, T) to (B, C, T)."""
