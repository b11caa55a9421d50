"""A gated PixelCNN as a backbone (van den Oord et al. 2016, NeurIPS): the WaveNet stack over the rows of a picture.

Each position is shown the unit before its own, so masks that let a position see its own input are the right ones
everywhere. ``step`` computes the whole picture anew: what lies above has no cache that a row would not outgrow.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.nn.wavenet import WaveNetStack, dilation_cycle

CYCLE = 2  # layers until the dilation starts again at 1: pictures are small


@dataclass
class PictureSoFar:
    """The inputs (B, length, width) given until now, and the condition (B, width)."""

    inputs: Tensor
    condition: Tensor


class PixelCNN(nn.Module):
    """(B, S, width) to (B, S, width), S positions of a square picture in raster order, each seeing those before it."""

    def __init__(self, width: int, layers: int, side: int) -> None:
        super().__init__()
        self.side = side
        dilations = dilation_cycle(layers, CYCLE)
        self.stack = WaveNetStack(dilations, width, width, condition=width, dimensions=2)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, condition: Tensor, visible: Tensor | None = None) -> Tensor:
        """x (B, S, width) with S up to side * side; condition (B, width). ``visible`` is what the masks say anyway."""
        positions = x.shape[1]
        whole = F.pad(x, (0, 0, 0, self.side**2 - positions)).transpose(1, 2).unflatten(2, (self.side, self.side))
        skips = self.stack(whole, condition[:, :, None, None]).flatten(2).transpose(1, 2)[:, :positions]
        return self.output(skips.relu()).relu()

    def initial_state(self, batch: int, max_length: int, *, condition: Tensor) -> PictureSoFar:
        """Nothing yet, of a picture of ``max_length`` positions."""
        return PictureSoFar(condition.new_zeros(batch, 0, condition.shape[1]), condition)

    @torch.no_grad()
    def step(self, x: Tensor, state: PictureSoFar) -> tuple[Tensor, PictureSoFar]:
        """Continue by x (B, T_new, width); equals ``forward`` on everything so far."""
        inputs = torch.cat([state.inputs, x], dim=1)
        return self(inputs, state.condition)[:, -x.shape[1] :], PictureSoFar(inputs, state.condition)
