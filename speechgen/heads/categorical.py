"""Softmax head: the K codes of a position are drawn in parallel, independent given z."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from speechgen.config import Config
from speechgen.heads.sampling import Generators, code_loss, draw, guide, pick


class CategoricalHeadConfig(Config):
    """``label_smoothing``: probability taken from the true code and spread over all (Szegedy et al. 2016)."""

    kind: Literal["categorical"] = "categorical"
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class CategoricalHead(nn.Module):
    """Draws codes (N, K) given z (N, C); codebooks are independent, so K > 1 wants the delay order."""

    def __init__(self, config: CategoricalHeadConfig, width: int, codebooks: int, codebook_size: int) -> None:
        super().__init__()
        self.config = config
        self.codebooks = codebooks
        self.codebook_size = codebook_size
        self.output = nn.Linear(width, codebooks * codebook_size)

    def logits(self, z: Tensor) -> Tensor:
        """(N, C) -> (N, K, V)."""
        return self.output(z).unflatten(-1, (self.codebooks, self.codebook_size))

    def loss(
        self, z: Tensor, target: Tensor, generator: torch.Generator | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Cross-entropy of target (N, K) long given z (N, C), averaged by weights (N,) or (N, K), bool or not.

        Targets of weight 0 may hold special tokens. The generator is not used: this loss draws nothing.
        """
        return code_loss(self.logits(z), target, weights, self.config.label_smoothing)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
        top_k: int | None = None,
        top_p: float | None = None,
        allowed: range | None = None,
    ) -> Tensor:
        """Draw codes (N, K) for z (N, C); with z_null, guidance acts on the logits.

        ``allowed`` limits the draw to a range of codes, as the flat order needs.
        """
        guided = z_null is not None and guidance != 1.0
        logits = guide(self.logits(torch.cat([z, z_null])), guidance) if guided else self.logits(z)
        if allowed is None:
            return draw(logits, temperature, top_k, top_p, generator)
        return draw(logits[..., allowed.start : allowed.stop], temperature, top_k, top_p, generator) + allowed.start

    @torch.no_grad()
    def probabilities(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        allowed: range | None = None,
    ) -> Tensor:
        """What ``sample`` with these arguments draws from: (N, K, V) doubles; at temperature 0 the largest is sure."""
        guided = z_null is not None and guidance != 1.0
        logits = guide(self.logits(torch.cat([z, z_null])), guidance) if guided else self.logits(z)
        if allowed is not None:
            inside = torch.zeros(self.codebook_size, dtype=torch.bool, device=z.device)
            inside[allowed.start : allowed.stop] = True
            logits = logits.masked_fill(~inside, -torch.inf)
        if temperature == 0:
            return F.one_hot(logits.argmax(-1), self.codebook_size).double()
        return (logits.double() / temperature).softmax(-1)

    @torch.no_grad()
    def draw_at(self, logits: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
        """The codes (...,) that uniforms (...,) in [0, 1) pick from logits (..., V)."""
        return pick(logits, uniforms, temperature)

    def log_probability_of(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Log-probability of codes (...,) under logits (..., V), in nats."""
        return logits.float().log_softmax(dim=-1).gather(-1, codes.unsqueeze(-1)).squeeze(-1)

    @torch.no_grad()
    def log_probability(self, z: Tensor, codes: Tensor) -> Tensor:
        """How sure the head is of codes (N, K) given z (N, C): (N, K), each at most 0."""
        return self.log_probability_of(self.logits(z), codes)
