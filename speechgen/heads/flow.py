"""Conditional flow matching head (Lipman et al. 2023; per-token use as in MAR, Li et al. 2024, and CALM, 2025).

A small MLP learns the velocity that carries noise to a continuous unit along straight lines, given the backbone's z.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from speechgen.config import Config
from speechgen.heads.sampling import Generators, gaussian
from speechgen.nn.adaln import AdaptiveModulation, TimeEmbedding, modulate

Solver = Literal["euler", "midpoint"]


class FlowHeadConfig(Config):
    """``draws``: how many (time, noise) pairs each position is trained on per step; below 4 learning is slow."""

    kind: Literal["flow"] = "flow"
    width: int = Field(384, gt=0)
    blocks: int = Field(3, gt=0)
    draws: int = Field(4, gt=0)


class FlowHead(nn.Module):
    """Draws continuous units (N, D) given z (N, C)."""

    def __init__(self, config: FlowHeadConfig, width: int, unit_width: int) -> None:
        """``width``: C of z; ``unit_width``: D of a unit."""
        super().__init__()
        self.config = config
        self.unit_width = unit_width
        self.time = TimeEmbedding(config.width)
        self.condition = nn.Linear(width, config.width)
        self.input = nn.Linear(unit_width, config.width)
        self.blocks = nn.ModuleList(Block(config.width) for _ in range(config.blocks))
        self.output = nn.Linear(config.width, unit_width)
        # One matrix for all blocks: shift, scale, gate of each, then shift and scale of the output.
        self.modulation = AdaptiveModulation(config.width, config.width, parts=3 * config.blocks + 2)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def loss(
        self, z: Tensor, target: Tensor, generator: torch.Generator | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Mean squared error of the velocity, averaged over positions.

        z (N, C), target (N, D), weights (N,) non-negative (a bool mask will do). Times are sigmoid(normal), so that
        the middle of the path, where the work is, is seen most (Esser et al. 2024, section 3.1).
        """
        draws, (count, width) = self.config.draws, target.shape
        if weights is None:
            weights = target.new_ones(count)
        device = target.device
        time = torch.randn(draws, count, generator=generator, device=device).sigmoid()
        noise = torch.randn(draws, count, width, generator=generator, device=device)
        target = target.float()
        noisy = torch.lerp(noise, target, time.unsqueeze(-1))
        velocity = self._velocity(noisy, self._modulations(time, self.condition(z)))
        error = (velocity.float() - (target - noise)).square().mean(dim=(0, 2))
        weights = weights.to(error.dtype)
        return (error * weights).sum() / weights.sum().clamp(min=1e-8)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
        steps: int = 8,
        solver: Solver = "euler",
    ) -> Tensor:
        """Draw units (N, D) for z (N, C) by integrating the velocity from noise (time 0) to data (time 1).

        Noise has standard deviation sqrt(temperature). With z_null (N, C) and guidance g the velocity is
        ``v_null + g (v - v_null)`` (Ho & Salimans 2022). The midpoint solver calls the network twice per step.
        """
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        shape = (z.shape[0], self.unit_width)
        x = gaussian(shape, generator, like=z) * temperature**0.5
        guided = z_null is not None and guidance != 1.0
        rows = torch.cat([z, z_null]) if guided else z
        if solver == "euler":
            times = torch.arange(steps, device=z.device) / steps
        else:
            times = torch.arange(2 * steps, device=z.device) / (2 * steps)
        # Nothing here depends on x, so every step's modulations come out of one matrix product before the loop.
        modulations = self._modulations(times[:, None], self.condition(rows))
        per_call = list(zip(*(part.unbind(0) for part in modulations), strict=True))

        def velocity(x: Tensor, call: int) -> Tensor:
            if not guided:
                return self._velocity(x, per_call[call])
            conditioned, null = self._velocity(torch.cat([x, x]), per_call[call]).chunk(2)
            return torch.lerp(null, conditioned, guidance)

        for step in range(steps):
            if solver == "euler":
                x = x + velocity(x, step) / steps
            else:
                halfway = x + velocity(x, 2 * step) / (2 * steps)
                x = x + velocity(halfway, 2 * step + 1) / steps
        return x

    def _modulations(self, time: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        """All blocks' shifts, scales and gates for times (S, N or 1) and projected z (N, W): each (S, N, W)."""
        return self.modulation(self.time(time) + condition)

    def _velocity(self, x: Tensor, modulations: tuple[Tensor, ...]) -> Tensor:
        h = self.input(x)
        for index, block in enumerate(self.blocks):
            h = block(h, *modulations[3 * index : 3 * index + 3])
        shift, scale = modulations[-2:]
        return self.output(modulate(F.layer_norm(h, h.shape[-1:], eps=1e-6), shift, scale))


class Block(nn.Module):
    """Residual two-layer MLP whose norm and gate follow the condition; (..., W) -> (..., W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, x: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        h = modulate(F.layer_norm(x, x.shape[-1:], eps=1e-6), shift, scale)
        return torch.addcmul(x, gate, self.down(F.silu(self.up(h))))
