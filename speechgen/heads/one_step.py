"""One-step head: a single pass from noise to a continuous unit, learned from a trained flow.

Along a flow's path each noise ends in one unit, with guidance too. That makes a function, which regression can learn
once the pairs are at hand (Luhman & Luhman 2021, "Knowledge distillation in iterative generative models"; Liu et al.
2023, section 2.2). ``speechgen.training.distil`` draws the pairs.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from speechgen.config import Config
from speechgen.heads.denoising import DenoisingHead
from speechgen.heads.processes import FlowProcess
from speechgen.heads.sampling import Generators, weighted_mean


class OneStepHeadConfig(Config):
    """``width``, ``blocks``: those of the flow that it learns from, which in training takes so many ``steps`` with
    ``guidance``. Guidance other than 1 is then in the weights, and not to be applied again."""

    kind: Literal["one-step"] = "one-step"
    width: int = Field(384, gt=0)
    blocks: int = Field(3, gt=0)
    steps: int = Field(8, gt=0)
    guidance: float = Field(1.5, ge=0)


class OneStepHead(DenoisingHead):
    """Draws continuous units (N, D) given z (N, C) in one pass; its weights have the names of a ``FlowHead``'s."""

    def __init__(self, config: OneStepHeadConfig, width: int, unit_width: int) -> None:
        """``width``: C of z; ``unit_width``: D of a unit."""
        super().__init__(FlowProcess(), width, unit_width, config.width, config.blocks, draws=1)
        self.config = config

    def loss(
        self,
        z: Tensor,
        target: Tensor,
        generator: torch.Generator | None = None,
        weights: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Mean squared error of the jump from ``noise`` (N, D) to target (N, D), averaged by weights (N,).

        Without the noise that the target was drawn from there is nothing to learn but the targets' mean.
        """
        target = target.float()
        if noise is None:
            noise = torch.randn(target.shape, generator=generator, device=target.device)
        start = torch.zeros(1, 1, device=target.device)
        (said,) = self.network(noise[None], self.modulations_at(start, self.condition(z)))
        return weighted_mean((said.float() - (target - noise)).square().mean(dim=1), weights)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Draw units (N, D) for z (N, C); arguments as of ``DenoisingHead.path``, in one step."""
        return super().sample(z, z_null, guidance, temperature, generator, 1, "euler", noise)
