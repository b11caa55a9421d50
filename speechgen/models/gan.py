"""A generative adversarial network (Goodfellow et al. 2014): noise becomes an image that passes for real.

The discriminator, which training adds, is the codec's opponent in two dimensions, told the label as planes of pixels.
"""

from math import prod
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from speechgen.models.one_shot import OneShot, OneShotConfig
from speechgen.nn.grid import GridDecoder, check_strides


class ImageGANConfig(OneShotConfig):
    """``noise``: numbers that become an image."""

    kind: Literal["image-gan"] = "image-gan"
    strides: tuple[Annotated[int, Field(ge=1)], ...] = (2, 2)
    blocks: int = Field(1, ge=0)
    noise: int = Field(32, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_strides(self.side, self.strides)
        return self


class ImageGAN(OneShot):
    """The generator; its losses are the discriminator's business."""

    def __init__(self, config: ImageGANConfig) -> None:
        super().__init__(config)
        self.grid = config.side // prod(config.strides)
        self.inlet = nn.Linear(config.noise + config.width, config.width * self.grid**2)
        self.decoder = GridDecoder(config.width, config.width, config.channels, config.strides, config.blocks)

    def forward(self, labels: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Images (B, C, side, side) in [-1, 1] of labels (B,)."""
        noise = torch.randn(len(labels), self.config.noise, generator=generator, device=labels.device)
        hidden = self.inlet(torch.cat([noise * temperature**0.5, self.label(labels)], dim=1))
        return self.decoder(hidden.unflatten(1, (-1, self.grid, self.grid))).tanh()

    def with_label(self, images: Tensor, labels: Tensor) -> Tensor:
        """What the discriminator sees: images and a plane for each label (B, C + labels + 1, side, side)."""
        planes = nn.functional.one_hot(labels, self.nothing + 1).to(images)
        return torch.cat([images, planes[:, :, None, None].expand(-1, -1, *images.shape[2:])], dim=1)

    @torch.no_grad()
    def sample(self, labels: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        return self(labels, generator, temperature)
