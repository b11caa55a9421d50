"""What every tokenizer turns a signal into, and back."""

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """Units on a grid: discrete codes (B, K, T) long, or continuous latents (B, C, T) float; of images the grid has two
    dimensions: (B, K, H, W)."""

    values: Tensor
    kind: Literal["discrete", "continuous"]

    @property
    def steps(self) -> int:
        """Grid positions in time."""
        return self.values.shape[-1]


class Tokenizer(Protocol):
    """The UNIT room's interface: a signal to units and back; scaling of latents is the tokenizer's business."""

    sample_rate: int

    def encode(self, wave: Tensor, codebooks: int | None = None) -> Tokens:
        """(B, 1, samples) in [-1, 1] to units."""

    def decode(self, tokens: Tokens) -> Tensor:
        """Units to (B, 1, samples)."""
