"""Gaussian head: a continuous unit is drawn from a mixture of diagonal normal distributions (Bishop 1994)."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.heads.sampling import Generators, draw, gaussian, guide, weighted_mean


class GaussianHeadConfig(Config):
    """``mixtures``: normal distributions per unit. ``least_log_deviation`` keeps them from becoming needles."""

    kind: Literal["gaussian"] = "gaussian"
    mixtures: int = Field(1, gt=0)
    least_log_deviation: float = -5.0


class GaussianHead(nn.Module):
    """Draws continuous units (N, D) given z (N, C): all of a unit from one component, its channels independent."""

    def __init__(self, config: GaussianHeadConfig, width: int, unit_width: int) -> None:
        """``width``: C of z; ``unit_width``: D of a unit."""
        super().__init__()
        self.config, self.unit_width = config, unit_width
        self.output = nn.Linear(width, config.mixtures * (1 + 2 * unit_width))
        if config.mixtures > 1:  # components that begin apart do not all learn the same
            with torch.no_grad():
                self.output.bias[config.mixtures :].view(config.mixtures, 2, unit_width)[:, 0].normal_()

    def loss(
        self, z: Tensor, target: Tensor, generator: torch.Generator | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Negative log-likelihood of target (N, D) in nats per channel, averaged by weights (N,); draws nothing."""
        return weighted_mean(-self.log_probability(z, target) / self.unit_width, weights)

    def log_probability(self, z: Tensor, units: Tensor) -> Tensor:
        """Log-density (N,) of units (N, D) given z (N, C), in nats."""
        logits, means, log_deviations = self._parts(self.output(z))
        apart = (units.float().unsqueeze(1) - means) * torch.exp(-log_deviations)
        each = -0.5 * apart.square() - log_deviations - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(logits.log_softmax(-1) + each.sum(-1), dim=-1)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
    ) -> Tensor:
        """Draw units (N, D) for z (N, C); with z_null, guidance acts on the parameters.

        Temperature sharpens the choice of the component and multiplies its variances; 0 takes the likeliest one's mean.
        """
        guided = z_null is not None and guidance != 1.0
        output = guide(self.output(torch.cat([z, z_null])), guidance) if guided else self.output(z)
        logits, means, log_deviations = self._parts(output)
        chosen = draw(logits, temperature, generator=generator)
        rows = torch.arange(len(z), device=z.device)
        noise = gaussian((len(z), self.unit_width), generator, like=means)
        unit = means[rows, chosen] + temperature**0.5 * log_deviations[rows, chosen].exp() * noise
        return unit.to(z.dtype)

    def _parts(self, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (N, M), means and logs of deviations (N, M, D), in float32."""
        output, mixtures = output.float(), self.config.mixtures
        means, log_deviations = output[:, mixtures:].view(-1, mixtures, 2, self.unit_width).unbind(2)
        return output[:, :mixtures], means, log_deviations.clamp(self.config.least_log_deviation, 5.0)
