"""Masked order: a few positions at a time, anywhere, each seeing all that is known (MaskGIT, Chang et al. 2022).

The positions of a step are those the head is surest of, or random ones (MAR, Li et al. 2024), for which any head will
do. What is known changes everywhere with each step, so nothing can be cached. Where neighbours in a row say much about
each other, positions may be hidden and drawn by spans of adjacent ones (MAGNeT, Ziv et al. 2024, section 3.1).
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
    """``choice`` of the positions of a step. ``steps`` of generation, at most one for each span. ``span``: adjacent
    positions of a row that are hidden and drawn together; the spans lie side by side from the first position on.
    ``length``: of rows, whether all positions are drawn, or as many as the model predicts; the rest is silence."""

    kind: Literal["masked"] = "masked"
    choice: Literal["confidence", "random"] = "confidence"
    steps: int = Field(8, ge=1)
    span: int = Field(1, ge=1)
    length: Literal["fixed", "predicted"] = "fixed"


class Masked:
    """Shows training a random share of the positions, and plans how many are drawn at each step of generation."""

    def __init__(self, config: MaskedConfig) -> None:
        self.config = config

    def view(self, units: Tensor, generator: torch.Generator | None = None, lengths: Tensor | None = None) -> View:
        """Of units (B, K, S) or (B, D, S), of which the first ``lengths`` (B,) are real, a share is hidden."""
        target = units.transpose(1, 2)
        blank = hidden_share(*target.shape[:2], generator, units.device, lengths, self.config.span)
        real = None if lengths is None else _first(lengths, target.shape[1])
        return View(target, blank, target, drawn=blank.unsqueeze(-1), real=real)

    @staticmethod
    def counts(spans: int, steps: int) -> list[int]:
        """How many spans each step draws: few at first, at least one, all of them together.

        After the share t of the steps the share cos(t pi / 2) of the spans is still hidden ("arccos" of MaskGIT).
        Raises ValueError for fewer than one step.
        """
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        steps, left, counts = min(steps, spans), spans, []
        for step in range(1, steps + 1):
            hidden = min(math.floor(spans * math.cos(step / steps * math.pi / 2) + 1e-9), left - 1)
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
    span: int = 1,
) -> Tensor:
    """Of each row's spans of positions, of the first ``lengths`` (rows,) or all, the share cos(u pi / 2), u uniform, at
    random, one at least: (rows, positions) bool."""
    share = (torch.rand(rows, generator=generator, device=device) * math.pi / 2).cos()
    spans = -(-positions // span)
    score = torch.rand(rows, spans, generator=generator, device=device)
    if lengths is None:
        return _positions(_lowest(score, share * spans), span, positions)
    real = -(-lengths // span)
    score = score.masked_fill(~_first(real, spans), 2.0)  # comes last
    return _positions(_lowest(score, share * real), span, positions) & _first(lengths, positions)


def _lowest(score: Tensor, count: Tensor) -> Tensor:
    """Which of each row's numbers (rows, spans) are the lowest ``count`` (rows,), one at least."""
    return score.argsort(1).argsort(1) < count.ceil().clamp(min=1)[:, None]


def _positions(spans: Tensor, span: int, positions: int) -> Tensor:
    """What holds of spans (rows, spans), of their positions (rows, positions); the last span may be shorter."""
    return spans.repeat_interleave(span, dim=1)[:, :positions]


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
    what was drawn. By confidence, every hidden position is drawn and the surest spans are kept, with Gumbel ``noise``
    that fades (section 3.2 of MaskGIT); a span is as sure as its surest position (MAGNeT). At random, only the
    positions of the step are drawn.
    """
    (rows, positions, _), span = units.shape, order.config.span
    spans = -(-positions // span)
    blank = torch.ones(rows, positions, dtype=torch.bool, device=units.device)
    rank = torch.rand(rows, spans, generator=generator, device=units.device).argsort(1).argsort(1)
    counts, begun = order.counts(spans, steps), 0
    for step, count in enumerate(counts):
        z, z_null = look(units, blank).chunk(2) if guided else (look(units, blank), None)
        at_random = order.config.choice == "random"
        chosen = _positions((rank >= begun) & (rank < begun + count), span, positions) if at_random else blank
        drawn = units.clone()
        drawn[chosen] = draw(z[chosen], None if z_null is None else z_null[chosen])
        if not at_random:
            score = torch.full((rows, spans * span), -torch.inf, device=units.device)
            score[:, :positions][chosen] = sureness(z[chosen], drawn[chosen])
            uniforms = torch.rand(rows, spans, generator=generator, device=units.device).clamp(1e-9, 1 - 1e-7)
            gumbel = -(-uniforms.log()).log() * noise * (1 - (step + 1) / len(counts))
            surest = (score.unflatten(1, (spans, span)).amax(2) + gumbel).topk(count, dim=1).indices
            new = _positions(torch.zeros_like(rank, dtype=torch.bool).scatter_(1, surest, True), span, positions)
        else:
            new = chosen
        units = torch.where(new.unsqueeze(-1), drawn, units)
        blank, begun = blank & ~new, begun + count
        yield Unmasked(units, ~blank, new)
