"""Mixture-of-logistics head: a code is a step on a scale, and steps near each other are about as likely.

Discretised as in PixelCNN++ (Salimans et al. 2017, section 2.1); Parallel WaveNet (van den Oord et al. 2018) uses it
for 16-bit samples, of which a softmax would need 65,536 logits.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from speechgen.config import Config
from speechgen.heads.sampling import draw, guide


class LogisticsHeadConfig(Config):
    """``mixtures``: logistic distributions per code. ``least_log_scale`` keeps them from becoming needles."""

    kind: Literal["logistics"] = "logistics"
    mixtures: int = Field(10, gt=0)
    least_log_scale: float = -9.0


class LogisticsHead(nn.Module):
    """Draws codes (N, K) given z (N, C); codebooks are independent. The scale of a code runs from -1 to 1."""

    def __init__(self, config: LogisticsHeadConfig, width: int, codebooks: int, codebook_size: int) -> None:
        super().__init__()
        self.config = config
        self.codebooks = codebooks
        self.codebook_size = codebook_size
        self.output = nn.Linear(width, codebooks * 3 * config.mixtures)
        # The mixtures start side by side over the whole scale, and wide.
        with torch.no_grad():
            bias = self.output.bias.view(codebooks, 3, config.mixtures)
            bias[:, 0] = 0.0
            bias[:, 1] = torch.linspace(-1, 1, config.mixtures + 2)[1:-1]
            bias[:, 2] = -1.5

    def logits(self, z: Tensor) -> Tensor:
        """(N, C) -> (N, K, 3 * mixtures): logits of the mixtures, their means, the logs of their scales."""
        return self.output(z).unflatten(-1, (self.codebooks, -1))

    def log_probability_of(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Log-probability of codes (...,) under parameters (..., 3 * mixtures), in nats; sums to 1 over all codes."""
        weights, means, log_scales = self._parts(logits)
        half = 1 / (self.codebook_size - 1)
        distance = (codes.to(weights) * 2 * half - 1).unsqueeze(-1) - means
        inverse_scale = torch.exp(-log_scales)
        above, below = (distance + half) * inverse_scale, (distance - half) * inverse_scale
        # log(sigmoid(above) - sigmoid(below)) without cancellation: both sides of the difference share a factor.
        inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-2 * half * inverse_scale))
        first, last = (codes == 0).unsqueeze(-1), (codes == self.codebook_size - 1).unsqueeze(-1)
        each = torch.where(first, F.logsigmoid(above), torch.where(last, F.logsigmoid(-below), inside))
        return torch.logsumexp(weights.log_softmax(-1) + each, dim=-1)

    def loss(
        self, z: Tensor, target: Tensor, generator: torch.Generator | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Negative log-likelihood of target (N, K) long given z (N, C), averaged by weights (N,) or (N, K).

        Targets of weight 0 may hold anything. The generator is not used: this loss draws nothing.
        """
        if weights is None:
            weights = torch.ones_like(target, dtype=torch.float32)
        elif weights.dim() == 1:
            weights = weights.unsqueeze(-1).expand_as(target)
        weights = weights.float()
        losses = -self.log_probability_of(self.logits(z), target.masked_fill(weights == 0, 0))
        return (losses * weights).sum() / weights.sum().clamp(min=1e-8)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        allowed: range | None = None,
    ) -> Tensor:
        """Draw codes (N, K) for z (N, C); with z_null, guidance acts on the parameters.

        ``allowed`` limits the draw to a range of codes, as the flat order needs.
        """
        guided = z_null is not None and guidance != 1.0
        logits = guide(self.logits(torch.cat([z, z_null])), guidance) if guided else self.logits(z)
        if allowed is not None:
            return self._draw_within(logits, allowed, temperature, generator)
        uniforms = torch.rand(logits.shape[:-1], generator=generator, device=z.device, dtype=torch.float64)
        return self.draw_at(logits, uniforms, temperature)

    @torch.no_grad()
    def draw_at(self, logits: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
        """The codes (...,) that uniforms (...,) in [0, 1) pick from parameters (..., 3 * mixtures).

        One uniform picks the mixture, and what is left of it, stretched again to [0, 1), the quantile within.
        Temperature sharpens the choice of the mixture and narrows each logistic; 0 takes the likeliest one's mean.
        """
        if temperature < 0:
            raise ValueError(f"temperature must not be negative, not {temperature}")
        weights, means, log_scales = (part.double() for part in self._parts(logits))
        if temperature == 0:
            value = means.gather(-1, weights.argmax(-1, keepdim=True)).squeeze(-1)
        else:
            shares = (weights / temperature).softmax(-1)
            ends = shares.cumsum(-1)
            chosen = (ends[..., :-1] <= uniforms.unsqueeze(-1)).sum(-1, keepdim=True)
            share, end, mean, log_scale = (
                part.gather(-1, chosen).squeeze(-1) for part in (shares, ends, means, log_scales)
            )
            rest = ((uniforms - end + share) / share).clamp(1e-9, 1 - 1e-9)
            value = mean + temperature * log_scale.exp() * (rest.log() - torch.log1p(-rest))
        steps = (value.clamp(-1, 1) + 1) * ((self.codebook_size - 1) / 2)
        return torch.floor(steps + 0.5).long()

    @torch.no_grad()
    def log_probability(self, z: Tensor, codes: Tensor) -> Tensor:
        """How sure the head is of codes (N, K) given z (N, C): (N, K), each at most 0."""
        return self.log_probability_of(self.logits(z), codes)

    def _draw_within(
        self, logits: Tensor, allowed: range, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """Codes (N, K) of a range from parameters (N, K, 3 * mixtures), as ``draw_at`` with what lies outside left out;
        at temperature 0 the nearest that is allowed."""
        if temperature == 0:
            uniforms = torch.zeros(logits.shape[:-1], device=logits.device)
            return self.draw_at(logits, uniforms, temperature).clamp(allowed.start, allowed.stop - 1)
        codes = torch.arange(allowed.start, allowed.stop, device=logits.device)
        weights, means, log_scales = self._parts(logits)
        changed = torch.cat([weights / temperature, means, log_scales + math.log(temperature)], dim=-1)
        return draw(self.log_probability_of(changed.unsqueeze(-2), codes), generator=generator) + allowed.start

    def _parts(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, means, log_scales = logits.float().chunk(3, dim=-1)
        return weights, means, log_scales.clamp(self.config.least_log_scale, math.log(10.0))
