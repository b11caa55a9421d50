"""The variational bottleneck (Kingma and Welling 2014): continuous latents with a bounded amount of information."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.tokenizers.bottleneck import Quantized

LOG_DEVIATIONS = (-6.0, 3.0)  # bounds that keep sampled latents finite whatever the encoder does
FIRST_LOG_DEVIATION = -1.0  # everywhere at the start: little noise, so that the decoder finds something to learn from


class VAEConfig(Config):
    """``kl``: weight of the divergence from a standard normal, in nats per latent dimension and frame."""

    kind: Literal["vae"] = "vae"
    kl: float = Field(0.01, ge=0)


class VariationalBottleneck(nn.Module):
    """Samples around a mean in training, passes the mean afterwards; it has no codes."""

    codebooks = 0
    codebook_size = 1

    def __init__(self, width: int, config: VAEConfig):
        super().__init__()
        self.config = config
        self.moments = nn.Conv1d(width, 2 * width, 1)
        nn.init.zeros_(self.moments.weight[width:])
        nn.init.constant_(self.moments.bias[width:], FIRST_LOG_DEVIATION)

    def forward(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        """Training: (B, C, T) to a sample (B, C, T) drawn with ``generator``, and the loss ``kl``."""
        with torch.autocast(latents.device.type, enabled=False):
            mean, log_deviation = self._moments(latents.float())
            deviation = log_deviation.exp()
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            divergence = 0.5 * (mean.square() + deviation.square() - 1) - log_deviation
            losses = {"kl": self.config.kl * divergence.mean()}
            return Quantized(mean + deviation * noise, None, losses, self._facts(divergence.detach()))

    def encode(self, latents: Tensor, codebooks: int | None = None) -> Tensor:
        """Latents (B, C, T) to the mean (B, C, T); there are no codebooks to choose from."""
        return self._moments(latents.float())[0]

    def decode(self, codes: Tensor) -> Tensor:
        """Continuous latents (B, C, T) are what the decoder takes."""
        return codes

    def _moments(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_deviation = self.moments(latents).chunk(2, dim=1)
        return mean, log_deviation.clamp(*LOG_DEVIATIONS)

    def _facts(self, divergence: Tensor) -> dict[str, float]:
        """Nats per frame, and the share of dimensions that carry more than a hundredth of a nat."""
        by_dimension = divergence.mean(dim=(0, 2))
        active = (by_dimension > 0.01).float().mean()
        return {"nats_per_frame": by_dimension.sum().item(), "active_dimensions": active.item()}
