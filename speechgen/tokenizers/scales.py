"""Multi-scale residual quantisation (VAR, Tian et al. 2024, algorithms 1 and 2): each scale codes what is left over."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.tokenizers.bottleneck import Quantized, usage_facts
from speechgen.tokenizers.rvq import Codebook, RVQConfig

SHARE_OF_CONVOLUTION = 0.5  # in an enlarged scale ("phi" in VAR's code)


class ScalesConfig(Config):
    """``scales``: sides of the grids, from the smallest to the whole; they share one codebook."""

    kind: Literal["scales"] = "scales"
    scales: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 7)
    codebook_size: int = Field(256, ge=2)
    code_width: int = Field(8, gt=0)
    start_step: int = Field(50, ge=0)
    revive_below: float = 0.1
    revive_every: int = Field(10, gt=0)
    commitment: float = Field(0.25, ge=0)


class ScaleQuantizer(nn.Module):
    """Latents (B, C, H, H) to codes (B, 1, S): those of all scales, one after another, each in raster order."""

    codebooks = 1

    def __init__(self, width: int, config: ScalesConfig) -> None:
        super().__init__()
        self.config, self.codebook_size = config, config.codebook_size
        sizes = {"codebook_size": config.codebook_size, "code_width": config.code_width}
        self.codebook = Codebook(width, RVQConfig(codebooks=1, **sizes))
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in config.scales)
        self.register_buffer("usage", torch.full((1, config.codebook_size), 1 / config.codebook_size))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        """Training: (B, C, H, H) to what the decoder sees, codes, and the losses of codebook and encoder.

        Before ``start_step`` nothing is quantised; then the codebook starts from the residuals of all scales.
        """
        with torch.autocast(latents.device.type, enabled=False):
            return self._train(latents.float(), generator)

    def _train(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        seen = int(self.seen)
        self.seen += 1
        if seen < self.config.start_step:
            return Quantized(latents, None)
        if seen == self.config.start_step:
            inlet = self.codebook.inlet
            shrunk = [F.adaptive_avg_pool2d(latents, side).movedim(1, -1).flatten(0, 2) for side in self.config.scales]
            self.codebook.start(inlet(torch.cat(shrunk)).detach(), generator)
        total, codes, losses = torch.zeros_like(latents), [], {"codebook": 0.0, "commitment": 0.0}
        for scale in range(len(self.config.scales)):
            projected = self._shrunk(latents - total.detach(), scale)
            index = self.codebook.nearest(projected.detach().flatten(0, 2)).view(projected.shape[:3])
            chosen = self.codebook.codes[index]
            losses["codebook"] = losses["codebook"] + F.mse_loss(chosen, projected.detach())
            losses["commitment"] = losses["commitment"] + F.mse_loss(projected, chosen.detach())
            quantised = self.codebook.outlet(projected + (chosen - projected).detach())  # straight-through
            total = total + self._enlarged(quantised.movedim(-1, 1), scale, latents.shape[-1])
            codes.append(index.flatten(1))
        count = len(self.config.scales)
        losses = {"codebook": losses["codebook"] / count, "commitment": losses["commitment"] / count}
        losses["commitment"] = self.config.commitment * losses["commitment"]
        losses["tie"] = self.config.commitment * F.mse_loss(latents, total.detach())
        codes = torch.cat(codes, dim=1)
        self._track(codes, projected.detach().flatten(0, 2), seen - self.config.start_step, generator)
        return Quantized(total, codes.unsqueeze(1), losses, usage_facts(self.usage, self.config.revive_below))

    def encode(self, latents: Tensor) -> Tensor:
        """(B, C, H, H) to codes (B, 1, S)."""
        total, codes = torch.zeros_like(latents), []
        for scale in range(len(self.config.scales)):
            projected = self._shrunk(latents - total, scale)
            index = self.codebook.nearest(projected.flatten(0, 2)).view(projected.shape[:3])
            total = total + self._enlarged(self.codebook.lookup(index).movedim(-1, 1), scale, latents.shape[-1])
            codes.append(index.flatten(1))
        return torch.cat(codes, dim=1).unsqueeze(1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, 1, S) to what their scales amount to (B, C, H, H)."""
        parts = codes.split([side * side for side in self.config.scales], dim=2)
        grids = [part.unflatten(2, (side, side)) for part, side in zip(parts, self.config.scales, strict=True)]
        return self.canvas(grids, self.config.scales[-1])

    def canvas(self, scales: list[Tensor], side: int) -> Tensor:
        """What the first scales' codes (B, 1, s, s) amount to, at this side: (B, C, side, side)."""
        whole = self.config.scales[-1]
        total = sum(
            self._enlarged(self.codebook.lookup(codes[:, 0]).movedim(-1, 1), scale, whole)
            for scale, codes in enumerate(scales)
        )
        return F.adaptive_avg_pool2d(total, side)

    def _shrunk(self, residual: Tensor, scale: int) -> Tensor:
        """A residual (B, C, H, H) at a scale, as the codebook sees it: (B, s, s, code width)."""
        return self.codebook.inlet(F.adaptive_avg_pool2d(residual, self.config.scales[scale]).movedim(1, -1))

    def _enlarged(self, quantised: Tensor, scale: int, side: int) -> Tensor:
        """(B, C, s, s) to the whole grid, smoothed, since a residual has no sharp edges."""
        large = quantised
        if quantised.shape[-1] != side:
            large = F.interpolate(quantised, size=(side, side), mode="bicubic", align_corners=False)
        return torch.lerp(large, self.smooth[scale](large), SHARE_OF_CONVOLUTION)

    @torch.no_grad()
    def _track(self, codes: Tensor, projected: Tensor, since: int, generator: torch.Generator) -> None:
        counts = torch.bincount(codes.flatten(), minlength=self.codebook_size).float()
        self.usage[0].lerp_(counts / counts.sum(), 0.02)
        if since > 0 and since % self.config.revive_every == 0 and self.codebook.codes.requires_grad:
            dead = self.usage[0] * self.codebook_size < self.config.revive_below
            self.codebook.revive(dead, projected, generator)
            self.usage[0][dead] = 1 / self.codebook_size
