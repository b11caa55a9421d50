"""A PixelCNN frame by frame, told what was seen of earlier frames: the backbone of Video Pixel Networks (Kalchbrenner
et al. 2017).

Each earlier frame goes through convolutions that keep its size and through a convolutional LSTM over time; what that
remembers tells the masked stack, place by place, what the next frame may look like. As in ``nn.pixelcnn`` each position
is shown the unit before its own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speechgen.nn.convnext import ConvNeXtStack
from speechgen.nn.wavenet import GridPast, WaveNetStack, dilation_cycle

CYCLE, KERNEL = 2, 3
BLOCKS = 2  # of the encoder of frames


@dataclass
class FramesSoFar:
    """The inputs (B, places, width) given of this frame, the condition (B, width), what the LSTM says and keeps of
    earlier ones, each (B, width, H, W), and what the stack keeps of this one."""

    inputs: Tensor
    condition: Tensor
    memory: tuple[Tensor, Tensor]
    past: GridPast


class FramePixelCNN(nn.Module):
    """(B, S, width) to (B, S, width), S positions of frames in raster order, each seeing those before it."""

    def __init__(self, width: int, layers: int, frames: int, side: int) -> None:
        super().__init__()
        self.width, self.frames, self.side = width, frames, side
        self.encoder = ConvNeXtStack(width, BLOCKS, KERNEL, causal=False, dimensions=2)
        self.gates = nn.Conv2d(2 * width, 4 * width, KERNEL, padding=KERNEL // 2)
        self.stack = WaveNetStack(dilation_cycle(layers, CYCLE), width, width, condition=width, dimensions=2)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, condition: Tensor, visible: Tensor | None = None) -> Tensor:
        """x (B, frames * side * side, width); condition (B, width). ``visible`` is what the masks say anyway."""
        each, told = self.side**2, self._nothing(len(x), x)
        memory, said = (told, told), []
        for frame in range(self.frames):
            if frame:
                # The units of the frame before: inputs come one position late.
                memory = self._remember(x[:, (frame - 1) * each + 1 : frame * each + 1], memory)
            said.append(self._frame(x[:, frame * each : (frame + 1) * each], memory[0], condition))
        return torch.cat(said, dim=1)

    def initial_state(self, batch: int, max_length: int, *, condition: Tensor) -> FramesSoFar:
        """Nothing yet, of frames of ``max_length`` positions together."""
        nothing = self._nothing(batch, condition)
        past = self.stack.empty_grid(nothing, self.side)
        return FramesSoFar(condition.new_zeros(batch, 0, self.width), condition, (nothing, nothing), past)

    @torch.no_grad()
    def step(self, x: Tensor, state: FramesSoFar) -> tuple[Tensor, FramesSoFar]:
        """Continue by x (B, 1, width); equals ``forward`` on everything so far. Each place is computed once."""
        inputs, memory, past = torch.cat([state.inputs, x], dim=1), state.memory, state.past
        if past.filled == self.side**2:
            memory = self._remember(inputs[:, 1:], memory)  # inputs come one position late
            inputs, past = x, self.stack.empty_grid(x, self.side)
        told = memory[0].flatten(2)[:, :, past.filled] + state.condition
        skips, past = self.stack.place(x[:, 0], past, told)
        return self.output(skips.relu()).relu().unsqueeze(1), FramesSoFar(inputs, state.condition, memory, past)

    def _frame(self, x: Tensor, told: Tensor, condition: Tensor) -> Tensor:
        """A frame (B, side * side, width), told what came before (B, width, H, W)."""
        skips = self.stack(self._grid(x), told + condition[:, :, None, None]).flatten(2).transpose(1, 2)
        return self.output(skips.relu()).relu()

    def _remember(self, units: Tensor, memory: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """A convolutional LSTM's next state (Shi et al. 2015), given a whole frame (B, side * side, width)."""
        seen = self.encoder(self._grid(units))
        take, keep, give, new = self.gates(torch.cat([seen, memory[0]], dim=1)).chunk(4, dim=1)
        cell = (keep + 1).sigmoid() * memory[1] + take.sigmoid() * new.tanh()
        return give.sigmoid() * cell.tanh(), cell

    def _grid(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).unflatten(2, (-1, self.side))

    def _nothing(self, batch: int, like: Tensor) -> Tensor:
        return like.new_zeros(batch, self.width, self.side, self.side)
