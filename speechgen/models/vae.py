"""A variational autoencoder as a generator (Kingma and Welling 2014): one vector stands for the whole image."""

from math import prod
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from speechgen.models.one_shot import OneShot, OneShotConfig
from speechgen.nn.grid import GridDecoder, GridEncoder, check_strides
from speechgen.tokenizers.vae import VAEConfig, VariationalBottleneck


class ImageVAEConfig(OneShotConfig):
    """``latent``: numbers that stand for an image. ``deviation``: of pixels around what the decoder says, in units of
    the range [-1, 1]; the smaller, the less the prior counts."""

    kind: Literal["image-vae"] = "image-vae"
    strides: tuple[Annotated[int, Field(ge=1)], ...] = (2, 2)
    blocks: int = Field(1, ge=0)
    latent: int = Field(16, gt=0)
    deviation: float = Field(0.3, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_strides(self.side, self.strides)
        return self


class ImageVAE(OneShot):
    """The codec's own bottleneck over a sequence of one vector."""

    def __init__(self, config: ImageVAEConfig) -> None:
        super().__init__(config)
        width, self.grid = config.width, config.side // prod(config.strides)
        self.encoder = GridEncoder(config.channels, width, width, config.strides, config.blocks)
        self.inward = nn.Linear(width * self.grid**2 + width, config.latent)
        pixels = config.channels * config.side**2
        self.bottleneck = VariationalBottleneck(config.latent, VAEConfig(kl=config.latent / pixels))
        self.outward = nn.Linear(config.latent + width, width * self.grid**2)
        self.decoder = GridDecoder(width, width, config.channels, config.strides, config.blocks)

    def losses(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """The negative evidence lower bound (equation 10) in nats per pixel, but for a constant."""
        hidden = torch.cat([self.encoder(images).flatten(1), self.label(labels)], dim=1)
        latent = self.bottleneck(self.inward(hidden).unsqueeze(2), generator)
        made = self.decode(latent.values.squeeze(2), labels)
        error = (made - images).square().mean() / (2 * self.config.deviation**2)
        return error + latent.losses["kl"], {"error": error.item(), "kl": latent.losses["kl"].item(), **latent.facts}

    def decode(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Latents (B, latent) of labels (B,) to images."""
        hidden = self.outward(torch.cat([latent, self.label(labels)], dim=1))
        return self.decoder(hidden.unflatten(1, (-1, self.grid, self.grid))).tanh()

    @torch.no_grad()
    def sample(self, labels: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        latent = torch.randn(len(labels), self.config.latent, generator=generator, device=labels.device)
        return self.decode(latent * temperature**0.5, labels)
