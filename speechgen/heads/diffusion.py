"""Diffusion head (MAR, Li et al. 2024): a small MLP learns the noise in a continuous unit, given the backbone's z."""

from typing import Literal

from pydantic import Field

from speechgen.config import Config
from speechgen.heads.denoising import DenoisingHead
from speechgen.heads.processes import DiffusionProcess


class DiffusionHeadConfig(Config):
    """``draws``: how many (level, noise) pairs each position is trained on per step; the rest is the process's."""

    kind: Literal["diffusion"] = "diffusion"
    width: int = Field(384, gt=0)
    blocks: int = Field(3, gt=0)
    draws: int = Field(4, gt=0)
    timesteps: int = Field(1000, gt=0)
    schedule: Literal["cosine", "linear"] = "cosine"
    limit: float = Field(5.0, gt=0)
    predicts: Literal["noise", "v"] = "noise"

    def process(self) -> DiffusionProcess:
        return DiffusionProcess(self.timesteps, self.schedule, self.limit, self.predicts)


class DiffusionHead(DenoisingHead):
    """Draws continuous units (N, D) given z (N, C); steps 50 and solver "ddim" by default, or "ddpm"."""

    def __init__(self, config: DiffusionHeadConfig, width: int, unit_width: int) -> None:
        """``width``: C of z; ``unit_width``: D of a unit."""
        super().__init__(config.process(), width, unit_width, config.width, config.blocks, config.draws)
        self.config = config
