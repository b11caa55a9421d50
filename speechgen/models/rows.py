"""What a token TTS reads: prompts and targets as frames with their symbols, and batches of them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speechgen.models.tts_config import FIRST_SYMBOL, UNKNOWN, TTSConfig


@dataclass
class Segment:
    """A prompt or a target: ``units`` (T, C) latents or (T, K) codes, or None when they are still to be drawn;
    ``symbols`` (N,): symbol numbers; ``durations`` (N,): frames of each, together T."""

    units: Tensor | None
    symbols: np.ndarray
    durations: np.ndarray

    @property
    def frames(self) -> int:
        return int(self.durations.sum())

    def crop(self, start: int, frames: int) -> "Segment":
        """The frames from ``start`` on, with the symbols that they touch."""
        position = np.repeat(np.arange(len(self.symbols)), self.durations)[start : start + frames]
        first, last = int(position[0]), int(position[-1])
        durations = np.bincount(position - first, minlength=last - first + 1)
        units = None if self.units is None else self.units[start : start + frames]
        return Segment(units, self.symbols[first : last + 1], durations)

    def unknown(self) -> "Segment":
        """The same frames without their transcript."""
        return Segment(self.units, np.array([UNKNOWN]), np.array([self.frames]))

    def whole_steps(self, patch: int) -> "Segment":
        """Lengthened to a multiple of ``patch`` frames: the last frame, which is silence, is repeated."""
        missing = -self.frames % patch
        if not missing:
            return self
        durations = self.durations.copy()
        durations[-1] += missing
        units = None if self.units is None else torch.cat([self.units, self.units[-1:].expand(missing, -1)])
        return Segment(units, self.symbols, durations)


@dataclass
class Rows:
    """A batch for the model; B rows of S steps, each a prompt followed by a target, padded on the right.

    ``values``: units as the order arranges them, (B, S, D) float or (B, S, K) long; ``real`` (B, S, K or 1) bool.
    ``symbols`` (B, N), ``symbol_mask`` (B, N), ``target_symbols`` (B, N) bool, ``durations`` (B, N) frames.
    ``positions`` (B, S, patch): the symbol of each frame; ``features`` (B, S, patch, 3).
    ``prompt_steps``, ``steps`` (B,): how many steps are the prompt's, and how many there are in all.
    ``languages`` (B,); ``known`` (B,) bool: whether the prompt's transcript is given.
    """

    values: Tensor
    real: Tensor
    symbols: Tensor
    symbol_mask: Tensor
    target_symbols: Tensor
    durations: Tensor
    positions: Tensor
    features: Tensor
    prompt_steps: Tensor
    steps: Tensor
    languages: Tensor
    known: Tensor

    @property
    def of_target(self) -> Tensor:
        """Which steps come after the prompt's, padding included: (B, S) bool."""
        return torch.arange(self.values.shape[1], device=self.prompt_steps.device) >= self.prompt_steps[:, None]

    def to(self, device) -> "Rows":
        return Rows(**{name: tensor.to(device) for name, tensor in vars(self).items()})


def symbol_numbers(config: TTSConfig, symbols: list[str]) -> np.ndarray:
    """Symbols to numbers; those that the model does not know become UNKNOWN."""
    index = {symbol: FIRST_SYMBOL + i for i, symbol in enumerate(config.symbols)}
    return np.array([index.get(symbol, UNKNOWN) for symbol in symbols])
