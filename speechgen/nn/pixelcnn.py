"""Backbones over the rows of a square grid: a gated PixelCNN (van den Oord et al. 2016, NeurIPS), which is the WaveNet
stack with masked convolutions, and a PixelRNN, whose row LSTM reads row after row (van den Oord et al. 2016, ICML).

Each position is shown the unit before its own, so masks that let a position see its own input are the right ones
everywhere.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.nn.wavenet import GridPast, WaveNetStack, dilation_cycle

CYCLE = 2  # layers until the dilation starts again at 1: grids are small
KERNEL = 3  # of a row LSTM's convolutions along the row


class GridBackbone(nn.Module, ABC):
    """(B, S, width) to (B, S, width), S positions of a square grid in raster order, each seeing those before it."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    @abstractmethod
    def features(self, grid: Tensor, condition: Tensor) -> Tensor:
        """A whole grid (B, width, side, side), told (B, width, 1, 1), to what its positions know (B, width, ...)."""

    def forward(self, x: Tensor, condition: Tensor, visible: Tensor | None = None) -> Tensor:
        """x (B, S, width) with S up to side * side; condition (B, width). ``visible`` is what the masks say anyway."""
        positions = x.shape[1]
        whole = F.pad(x, (0, 0, 0, self.side**2 - positions)).transpose(1, 2).unflatten(2, (self.side, self.side))
        return self.features(whole, condition[:, :, None, None]).flatten(2).transpose(1, 2)[:, :positions]


@dataclass
class PlacesSoFar:
    """What the stack was given, and the condition (B, width)."""

    past: GridPast
    condition: Tensor


class PixelCNN(GridBackbone):
    """Gated layers of masked convolutions; a position sees as far as they reach."""

    def __init__(self, width: int, layers: int, side: int) -> None:
        super().__init__(side)
        self.stack = WaveNetStack(dilation_cycle(layers, CYCLE), width, width, condition=width, dimensions=2)
        self.output = nn.Conv2d(width, width, 1)

    def features(self, grid: Tensor, condition: Tensor) -> Tensor:
        return self.output(self.stack(grid, condition).relu()).relu()

    def initial_state(self, batch: int, max_length: int, *, condition: Tensor) -> PlacesSoFar:
        """Nothing yet, of a grid of ``max_length`` positions."""
        return PlacesSoFar(self.stack.empty_grid(condition, self.side), condition)

    @torch.no_grad()
    def step(self, x: Tensor, state: PlacesSoFar) -> tuple[Tensor, PlacesSoFar]:
        """Continue by x (B, T_new, width); equals ``forward`` on everything so far. Each place is computed once."""
        past, places = state.past, []
        for place in x.unbind(1):
            skips, past = self.stack.place(place, past, state.condition)
            places.append(skips)
        z = self.output(torch.stack(places, dim=2).relu().unsqueeze(-1)).relu().flatten(2).transpose(1, 2)
        return z, PlacesSoFar(past, state.condition)


@dataclass
class RowsSoFar:
    """The inputs (B, length, width) given until now, and the condition (B, width)."""

    inputs: Tensor
    condition: Tensor


class PixelRNN(GridBackbone):
    """Row LSTM layers with residual connections; a position sees the triangle above it, up to the first row."""

    def __init__(self, width: int, layers: int, side: int) -> None:
        super().__init__(side)
        self.rows = nn.ModuleList(RowLSTM(width) for _ in range(layers))

    def features(self, grid: Tensor, condition: Tensor) -> Tensor:
        for layer in self.rows:
            grid = grid + layer(grid, condition)
        return grid

    def initial_state(self, batch: int, max_length: int, *, condition: Tensor) -> RowsSoFar:
        """Nothing yet, of a grid of ``max_length`` positions."""
        return RowsSoFar(condition.new_zeros(batch, 0, condition.shape[1]), condition)

    @torch.no_grad()
    def step(self, x: Tensor, state: RowsSoFar) -> tuple[Tensor, RowsSoFar]:
        """Continue by x (B, T_new, width); equals ``forward`` on everything so far, which is computed anew."""
        inputs = torch.cat([state.inputs, x], dim=1)
        return self(inputs, state.condition)[:, -x.shape[1] :], RowsSoFar(inputs, state.condition)


class RowLSTM(nn.Module):
    """Reads a grid (B, C, H, W) from the top, a row at a time (section 3.1, equation 3): the part of the input is a
    masked convolution along the row, the part of the state one over the row above."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input = nn.Conv2d(width, 4 * width, (1, KERNEL // 2 + 1))  # what lies right of a position is left out
        self.state = nn.Conv1d(width, 4 * width, KERNEL, padding=KERNEL // 2, bias=False)
        self.condition = nn.Conv2d(width, 4 * width, 1, bias=False)

    def forward(self, grid: Tensor, condition: Tensor) -> Tensor:
        """condition (B, C, 1, 1); what is put out has the grid's shape."""
        given = self.input(F.pad(grid, (KERNEL // 2, 0))) + self.condition(condition)
        hidden = cell = torch.zeros_like(grid[:, :, 0])
        rows = []
        for row in given.unbind(2):
            out, forget, take, new = (row + self.state(hidden)).chunk(4, dim=1)
            cell = forget.sigmoid() * cell + take.sigmoid() * new.tanh()
            hidden = out.sigmoid() * cell.tanh()
            rows.append(hidden)
        return torch.stack(rows, dim=2)
