"""Conditional flow matching head (Lipman et al. 2023; per-token use as in MAR, Li et al. 2024, and CALM, 2025).

A small MLP learns the velocity that carries noise to a continuous unit along straight lines, given the backbone's z.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from speechgen.config import Config
from speechgen.heads.denoising import DenoisingHead
from speechgen.heads.processes import FlowProcess, Times


class FlowHeadConfig(Config):
    """``draws``: how many (time, noise) pairs each position is trained on per step; below 4 learning is slow.
    ``times``: how times are spread, as ``FlowProcess`` has it."""

    kind: Literal["flow"] = "flow"
    width: int = Field(384, gt=0)
    blocks: int = Field(3, gt=0)
    draws: int = Field(4, gt=0)
    times: Times = "angles"


class FlowHead(DenoisingHead):
    """Draws continuous units (N, D) given z (N, C); steps 8 and solver "euler" by default, or "midpoint"."""

    def __init__(self, config: FlowHeadConfig, width: int, unit_width: int) -> None:
        """``width``: C of z; ``unit_width``: D of a unit."""
        super().__init__(FlowProcess(config.times), width, unit_width, config.width, config.blocks, config.draws)
        self.config = config

    @torch.no_grad()
    def couples(self, z: Tensor, generator: torch.Generator | None = None, steps: int = 50) -> tuple[Tensor, Tensor]:
        """Noise (N, D) and the units (N, D) it flows to: what a rectified flow is trained on.

        ``loss(z, units, noise=noise)`` on them straightens the paths, so that one step is enough (Liu et al. 2023,
        section 2.2, "reflow").
        """
        noise, *_, units = self.path(z, generator=generator, steps=steps, solver="midpoint")
        return noise, units
