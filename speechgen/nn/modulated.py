"""A residual MLP that a condition modulates: the network of heads for continuous units (MAR, Li et al. 2024)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechgen.nn.adaln import AdaptiveModulation


class ModulatedMLP(nn.Module):
    """(..., input width) to (..., output width), told z (..., C) by AdaLN; zero everywhere at the start."""

    def __init__(self, condition_width: int, input_width: int, width: int, blocks: int, output_width: int) -> None:
        super().__init__()
        self.condition = nn.Linear(condition_width, width)
        self.input = nn.Linear(input_width, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.output = nn.Linear(width, output_width)
        # One matrix for all blocks: shift, scale, gate of each, then shift and scale of the output.
        self.modulation = AdaptiveModulation(width, width, parts=3 * blocks + 2)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def modulations(self, condition: Tensor) -> tuple[Tensor, ...]:
        """Shift, factor (1 + scale) and gate of each block, then shift and factor of the output, for a condition
        (..., width): each (..., width)."""
        parts = self.modulation(condition)
        return tuple(part + 1 if index % 3 == 1 else part for index, part in enumerate(parts))

    def network(self, x: Tensor, modulations: tuple[Tensor, ...]) -> Tensor:
        """x (..., input width) under what ``modulations`` made; the two broadcast together."""
        h = self.input(x)
        for index, block in enumerate(self.blocks):
            h = block(h, *modulations[3 * index : 3 * index + 3])
        shift, factor = modulations[-2:]
        return self.output(torch.addcmul(shift, F.layer_norm(h, h.shape[-1:], eps=1e-6), factor))


class Block(nn.Module):
    """Residual two-layer MLP whose norm and gate follow the condition; (..., W) -> (..., W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, x: Tensor, shift: Tensor, factor: Tensor, gate: Tensor) -> Tensor:
        h = torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), factor)
        return torch.addcmul(x, gate, self.down(F.silu(self.up(h))))
