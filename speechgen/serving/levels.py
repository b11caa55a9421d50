"""Finishing touches on speech as it streams: a steady loudness, and no clicks where chunks meet."""

import math

import torch
from torch import Tensor


class Leveller:
    """Brings speech towards one loudness without looking ahead, so that sentence after sentence sounds alike.

    Follows the power of what is heard over about two seconds; silence does not count. ``target``: level of speech as
    dB root mean square. The gain stays within 6 dB and glides from block to block.
    """

    MEMORY_SECONDS = 2.0
    SILENCE_DB = -45.0
    MOST_DB = 6.0
    PEAK = 0.99

    def __init__(self, sample_rate: int, target: float = -22.0):
        self.memory = self.MEMORY_SECONDS * sample_rate  # samples
        self.target = self.power = 10 ** (target / 10)
        self.gain = 1.0

    def __call__(self, block: Tensor) -> Tensor:
        """The next (T,) samples, levelled."""
        if not len(block):
            return block
        power = block.square().mean().item()
        if power > 10 ** (self.SILENCE_DB / 10):
            self.power += (1 - math.exp(-len(block) / self.memory)) * (power - self.power)
        most = 10 ** (self.MOST_DB / 20)
        gain = min(max(math.sqrt(self.target / self.power), 1 / most), most)
        gain = min(gain, self.PEAK / max(block.abs().max().item(), 1e-9))
        ramp = torch.linspace(self.gain, gain, len(block) + 1)[1:]
        self.gain = gain
        return (block * ramp).clamp(-self.PEAK, self.PEAK)


class Edges:
    """Fades a chunk in and out over 5 ms; to know its end, that much is held back until ``end``."""

    SECONDS = 0.005

    def __init__(self, sample_rate: int):
        self.ramp = torch.linspace(0, 1, max(2, round(self.SECONDS * sample_rate)))
        self.faded_in = 0
        self.held = torch.zeros(0)

    def __call__(self, block: Tensor) -> Tensor:
        """The samples that are ready, of those held back and the next (T,)."""
        block = self._faded_in(block)
        block = torch.cat([self.held, block])
        ready = max(0, len(block) - len(self.ramp))
        self.held = block[ready:]
        return block[:ready]

    def end(self) -> Tensor:
        """The samples still held back, faded out."""
        return self.held * self.ramp.flip(0)[len(self.ramp) - len(self.held) :]

    def _faded_in(self, block: Tensor) -> Tensor:
        count = min(len(block), len(self.ramp) - self.faded_in)
        if not count:
            return block
        ramp = self.ramp[self.faded_in : self.faded_in + count]
        self.faded_in += count
        return torch.cat([block[:count] * ramp, block[count:]])
