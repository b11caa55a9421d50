"""Mean squared error head: says the mean of what may come. Kept to show why that fails: two dogs become one blur."""

from typing import Literal

import torch
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.heads.sampling import Generators, weighted_mean


class MSEHeadConfig(Config):
    """There is nothing to choose."""

    kind: Literal["mse"] = "mse"


class MSEHead(nn.Module):
    """Says continuous units (N, D) given z (N, C); nothing is drawn, so that equal z give equal units."""

    def __init__(self, config: MSEHeadConfig, width: int, unit_width: int) -> None:
        """``width``: C of z; ``unit_width``: D of a unit."""
        super().__init__()
        self.config, self.unit_width = config, unit_width
        self.output = nn.Linear(width, unit_width)

    def loss(
        self, z: Tensor, target: Tensor, generator: torch.Generator | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Mean squared error of target (N, D) given z (N, C), averaged by weights (N,); the generator is not used."""
        return weighted_mean((self.output(z).float() - target.float()).square().mean(dim=1), weights)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
    ) -> Tensor:
        """The expected units (N, D) for z (N, C), steered away from those of z_null; temperature changes nothing."""
        unit = self.output(z)
        return torch.lerp(self.output(z_null), unit, guidance) if z_null is not None and guidance != 1.0 else unit
