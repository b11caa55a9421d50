"""What a causal transformer remembers between steps: keys and values in memory that was set aside at the start."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

Modulation = tuple[Tensor, ...]  # shift, scale, gate of the attention, then of the MLP; each (B, 1, C)


@dataclass
class TransformerState:
    """What a causal transformer remembers between steps. ``step`` writes into its tensors; ``clone`` before a fork.

    ``keys`` and ``values`` are (layers, B, heads, max_length, head width), of which ``length`` positions are filled.
    """

    keys: Tensor
    values: Tensor
    rotary: tuple[Tensor, Tensor]
    memory: list[tuple[Tensor, Tensor] | None]  # per layer
    memory_mask: Tensor | None
    modulations: list[Modulation | None]  # per layer
    bias: Tensor | None  # (B, 1, C), the added condition
    length: int = 0
    visible: Tensor | None = None  # (B, max_length) bool, once a step has hidden a position

    @property
    def max_length(self) -> int:
        return self.keys.shape[3]

    def clone(self) -> Self:
        """An independent copy, so that one prompt may be continued many times."""
        visible = None if self.visible is None else self.visible.clone()
        return replace(self, keys=self.keys.clone(), values=self.values.clone(), visible=visible)

    def roll_back(self, length: int) -> None:
        """Forget all but the first ``length`` positions; what comes next is written in the place of the others.

        Raises ValueError when there are not so many.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"{length} positions cannot be kept of {self.length}")
        self.length = length
        if self.visible is not None:
            self.visible[:, length:] = True


def visible_to_step(state: TransformerState, start: int, end: int, mask: Tensor | None) -> Tensor | None:
    """Which cached positions each new one may see: (B or 1, 1, T_new, end) bool, or None for all (or plain causal)."""
    if mask is not None and state.visible is None:
        state.visible = torch.ones(mask.shape[0], state.max_length, dtype=torch.bool, device=mask.device)
    if mask is not None:
        state.visible[:, start:end] = mask
    if state.visible is None and (start == 0 or end - start == 1):
        return None
    causal = torch.ones(end - start, end, dtype=torch.bool, device=state.keys.device).tril(diagonal=start)
    if state.visible is None:
        return causal[None, None]
    # A hidden position still sees itself: its output is not used, but attention over nothing would be undefined.
    itself = torch.eye(end, dtype=torch.bool, device=causal.device)[start:]
    return ((causal & state.visible[:, None, :end]) | itself).unsqueeze(1)
