"""Masked order: a few positions at a time, anywhere, each seeing all that is known (MaskGIT, Chang et al. 2022).

The positions of a step are those the head is surest of, or random ones (MAR, Li et al. 2024), for which any head will
do. What is known changes everywhere with each step, so nothing can be cached.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from speechgen.config import Config
from speechgen.orders.layout import View


class MaskedConfig(Config):
    """``choice`` of the positions of a step. ``steps`` of generation, at most one for each position. ``length``: of
    sounds, whether all positions are drawn, or as many as the model predicts; the rest is silence."""

    kind: Literal["masked"] = "masked"
    choice: Literal["confidence", "random"] = "confidence"
    steps: int = Field(8, ge=1)
    length: Literal["fixed", "predicted"] = "fixed"


class Masked:
    """Shows training a random share of the positions, and plans how many are drawn at each step of generation."""

    def __init__(self, config: MaskedConfig) -> None:
        self.config = config

    def view(self, units: Tensor, generator: torch.Generator | None = None, lengths: Tensor | None = None) -> View:
        """Of units (B, K, S) or (B, D, S), of which the first ``lengths`` (B,) are real, a share is hidden."""
        target = units.transpose(1, 2)
        blank = hidden_share(*target.shape[:2], generator, units.device, lengths)
        real = None if lengths is None else _first(lengths, target.shape[1])
        return View(target, blank, target, drawn=blank.unsqueeze(-1), real=real)

    @staticmethod
    def counts(positions: int, steps: int) -> list[int]:
        """How many positions each step draws: few at first, at least one, all of them together.

        After the share t of the steps the share cos(t pi / 2) of the positions is still hidden ("arccos" of MaskGIT).
        Raises ValueError for fewer than one step.
        """
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        steps, left, counts = min(steps, positions), positions, []
        for step in range(1, steps + 1):
            hidden = min(math.floor(positions * math.cos(step / steps * math.pi / 2) + 1e-9), left - 1)
            hidden = max(hidden, steps - step)  # each step to come has something to draw
            counts.append(left - hidden)
            left = hidden
        return counts


def hidden_share(
    rows: int,
    positions: int,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
    lengths: Tensor | None = None,
) -> Tensor:
    """Of each row's positions, the first ``lengths`` (rows,) or all, the share cos(u pi / 2), u uniform, at random, one
    at least: (rows, positions) bool."""
    share = (torch.rand(rows, generator=generator, device=device) * math.pi / 2).cos()
    score = torch.rand(rows, positions, generator=generator, device=device)
    if lengths is not None:
        score = score.masked_fill(~_first(lengths, positions), 2.0)  # comes last
    many = positions if lengths is None else lengths
    return score.argsort(1).argsort(1) < (share * many).ceil().clamp(min=1)[:, None]


def _first(lengths: Tensor, positions: int) -> Tensor:
    return torch.arange(positions, device=lengths.device) < lengths[:, None]


@dataclass(frozen=True)
class Unmasked:
    """After a step: ``units`` (N, S, K | D), of which ``known`` (N, S) bool are drawn, ``new`` (N, S) just now."""

    units: Tensor
    known: Tensor
    new: Tensor


@torch.no_grad()
def unmask(
    order: Masked,
    units: Tensor,
    look: Callable[[Tensor, Tensor], Tensor],
    draw: Callable[[Tensor, Tensor | None], Tensor],
    sureness: Callable[[Tensor, Tensor], Tensor],
    *,
    steps: int,
    guided: bool = False,
    generator: torch.Generator | None = None,
    noise: float = 1.0,
) -> Iterator[Unmasked]:
    """Draw all positions of blank ``units`` (N, S, K | D) in so many steps; yields what is known after each.

    look(units, blank (N, S)) -> (R, S, C): the backbone; R is N, or 2 N when ``guided``: conditioned rows, then null
    ones. draw(z (M, C), z_null (M, C) | None) -> (M, K | D): the head. sureness(z, units) -> (M,): log-probability of
    what was drawn. By confidence, every hidden position is drawn and the surest are kept, with Gumbel ``noise`` that
    fades (section 3.2 of MaskGIT); at random, only those of the step are drawn.
    """
    rows, positions, _ = units.shape
    blank = torch.ones(rows, positions, dtype=torch.bool, device=units.device)
    rank = torch.rand(rows, positions, generator=generator, device=units.device).argsort(1).argsort(1)
    counts, begun = order.counts(positions, steps), 0
    for step, count in enumerate(counts):
        z, z_null = look(units, blank).chunk(2) if guided else (look(units, blank), None)
        at_random = order.config.choice == "random"
        chosen = (rank >= begun) & (rank < begun + count) if at_random else blank
        drawn = units.clone()
        drawn[chosen] = draw(z[chosen], None if z_null is None else z_null[chosen])
        if not at_random:
            score = torch.full((rows, positions), -torch.inf, device=units.device)
            uniforms = torch.rand(rows, positions, generator=generator, device=units.device).clamp(1e-9, 1 - 1e-7)
            gumbel = -(-uniforms.log()).log() * noise * (1 - (step + 1) / len(counts))
            score[chosen] = sureness(z[chosen], drawn[chosen]) + gumbel[chosen]
            new = torch.zeros_like(blank).scatter_(1, score.topk(count, dim=1).indices, True)
        else:
            new = chosen
        units = torch.where(new.unsqueeze(-1), drawn, units)
        blank, begun = blank & ~new, begun + count
        yield Unmasked(units, ~blank, new)
