"""A normalizing flow of images (Glow, Kingma and Dhariwal 2018): every step can be undone, so likelihood is exact."""

import math
from typing import Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from speechgen.models.one_shot import OneShot, OneShotConfig
from speechgen.nn.couplings import FlowStep

LEVELS = 256  # of brightness in an image file
MARGIN = 0.05  # of the range, so that black and white pixels do not lie at infinity (RealNVP, section 4.1)


class ImageFlowConfig(OneShotConfig):
    """``scales``: times that the grid is halved, half of the channels leaving each time but the last; ``steps`` of the
    flow in each."""

    kind: Literal["image-flow"] = "image-flow"
    scales: int = Field(2, ge=1)
    steps: int = Field(6, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.side % 2**self.scales:
            raise ValueError(f"scales {self.scales}: a side of {self.side} pixels cannot be halved so often")
        return self


class ImageFlow(OneShot):
    """Images to noise of the same size, and back."""

    def __init__(self, config: ImageFlowConfig) -> None:
        super().__init__(config)
        channels, self.scales = config.channels, nn.ModuleList()
        for _ in range(config.scales):
            channels *= 4
            self.scales.append(nn.ModuleList(FlowStep(channels, config.width) for _ in range(config.steps)))
            channels //= 2
        self.pixels = config.channels * config.side**2

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, C, side, side), unbounded, to noise (B, pixels) and the log of the determinant (B,)."""
        condition, total, gone = self.label(labels), x.new_zeros(len(x)), []
        for number, steps in enumerate(self.scales):
            x = F.pixel_unshuffle(x, 2)
            for step in steps:
                x, volume = step(x, condition)
                total = total + volume
            if number + 1 < len(self.scales):
                out, x = x.chunk(2, dim=1)
                gone.append(out.flatten(1))
        return torch.cat([*gone, x.flatten(1)], dim=1), total

    def inverse(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Noise (B, pixels) to x (B, C, side, side)."""
        condition, x, end = self.label(labels), None, noise.shape[1]
        for number in reversed(range(len(self.scales))):
            side, last = self.config.side // 2 ** (number + 1), x is None
            channels = self.config.channels * 2 ** (number + 2) // (1 if last else 2)
            part = noise[:, end - channels * side**2 : end].view(-1, channels, side, side)
            end -= channels * side**2
            x = part if last else torch.cat([part, x], dim=1)
            for step in reversed(self.scales[number]):
                x = step.inverse(x, condition)
            x = F.pixel_shuffle(x, 2)
        return x

    def losses(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Bits per dimension of images of 256 levels, which noise within a level makes continuous."""
        level = ((images + 1) / 2 * (LEVELS - 1)).round()
        share = (level + torch.rand(images.shape, generator=generator, device=images.device)) / LEVELS
        x = torch.logit(MARGIN + (1 - 2 * MARGIN) * share)
        stretched = (math.log(1 - 2 * MARGIN) - F.logsigmoid(x) - F.logsigmoid(-x)).flatten(1).sum(1)
        noise, volume = self(x, labels)
        normal = -0.5 * (noise.square() + math.log(2 * math.pi)).sum(1)
        nats = -(normal + volume + stretched).mean() / self.pixels
        bits = nats / math.log(2) + math.log2(LEVELS)
        return bits, {"bits_per_dimension": bits.item()}

    @torch.no_grad()
    def sample(self, labels: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        noise = torch.randn(len(labels), self.pixels, generator=generator, device=labels.device) * temperature**0.5
        share = (self.inverse(noise, labels).sigmoid() - MARGIN) / (1 - 2 * MARGIN)
        return (share * 2 - 1).clamp(-1, 1)
