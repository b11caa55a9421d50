"""Energy head (SLED, Ma et al. 2025): one pass turns noise into a continuous unit, trained by the energy distance."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from speechgen.config import Config
from speechgen.heads.sampling import Generators, gaussian, weighted_mean
from speechgen.nn.modulated import ModulatedMLP


class EnergyHeadConfig(Config):
    """``draws``: units drawn per position and training step, at least two, which repel each other. ``exponent``: of the
    distances, below 2; at 2 the loss would be blind to all but the mean. ``noise_width``: numbers drawn per unit."""

    kind: Literal["energy"] = "energy"
    width: int = Field(384, gt=0)
    blocks: int = Field(3, gt=0)
    draws: int = Field(2, ge=2)
    exponent: float = Field(1.0, gt=0, lt=2)
    noise_width: int = Field(16, gt=0)


class EnergyHead(ModulatedMLP):
    """Draws continuous units (N, D) given z (N, C) in one pass of an MLP."""

    def __init__(self, config: EnergyHeadConfig, width: int, unit_width: int) -> None:
        """``width``: C of z; ``unit_width``: D of a unit."""
        super().__init__(width, config.noise_width, config.width, config.blocks, unit_width)
        self.config, self.unit_width = config, unit_width
        # Draws that begin equal do not repel each other.
        torch.nn.init.xavier_uniform_(self.output.weight)

    def loss(
        self, z: Tensor, target: Tensor, generator: torch.Generator | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Energy distance to target (N, D), averaged by weights (N,): the mean distance of a draw from the target, less
        half the mean distance of two draws (Gneiting & Raftery 2007, equation 22)."""
        draws, target = self.config.draws, target.float()
        noise = torch.randn(draws, len(target), self.config.noise_width, generator=generator, device=target.device)
        units = self.network(noise, self.modulations(self.condition(z))).float()
        attraction = self._distance(units, target).mean(0)
        first, second = torch.triu_indices(draws, draws, offset=1, device=target.device)
        return weighted_mean(attraction - 0.5 * self._distance(units[first], units[second]).mean(0), weights)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
    ) -> Tensor:
        """Draw units (N, D) for z (N, C); guidance acts on z. Noise has standard deviation sqrt(temperature)."""
        if z_null is not None and guidance != 1.0:
            z = torch.lerp(z_null, z, guidance)
        shape = (z.shape[0], self.config.noise_width)
        noise = gaussian(shape, generator, like=z) * temperature**0.5
        return self.network(noise, self.modulations(self.condition(z)))

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        """(..., D) and (..., D) to (...); a little above zero where they meet, so that the gradient exists there."""
        return ((a - b).square().sum(-1) + 1e-8) ** (self.config.exponent / 2)
