"""Speculative decoding: a small draft model proposes steps, the target reads them all at once and keeps what it would
have drawn (Leviathan et al. 2023, algorithm 1).

What comes out has the target's own distribution, whatever the draft says; a good draft only saves passes. The codes of
a step are independent given the steps before, so they are judged one after another: the first that is refused is drawn
anew from what the target has more of than the draft, and those after it from the target, which has read all that
they depend on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from speechgen.orders.layout import Step
from speechgen.orders.stepwise import Frame, Walk


class Rewindable(Protocol):
    """A state of ``StepwiseBackbone.step`` that can forget, as ``speechgen.nn.cache.TransformerState``."""

    length: int

    def roll_back(self, length: int) -> None: ...


@dataclass
class Speaker:
    """One of the two models. ``embed`` is as of ``stepwise``; probabilities(z (N, C), z_null (N, C) | None, step) ->
    (N, K', V): what a draw of each code is drawn from."""

    backbone: Any
    state: Rewindable
    embed: Callable[[int, Tensor | None], Tensor]
    probabilities: Callable[[Tensor, Tensor | None, Step], Tensor]


@dataclass
class Tally:
    """Counts of a speculation: ``steps`` made in ``passes`` of the target, and of the codes that it ``judged``, those
    that it ``accepted``. Those proposed after a refusal are not judged."""

    steps: int = 0
    passes: int = 0
    judged: int = 0
    accepted: int = 0

    @property
    def share(self) -> float:
        """Of the judged codes, those accepted."""
        return self.accepted / max(1, self.judged)

    def __str__(self) -> str:
        return f"{self.share:.0%} of the draft's codes accepted, {self.steps} steps in {self.passes} passes"


@torch.no_grad()
def speculate(
    walk: Walk,
    target: Speaker,
    draft: Speaker,
    *,
    ahead: int = 4,
    guided: bool = False,
    generator: torch.Generator | None = None,
    tally: Tally | None = None,
) -> Iterator[Frame]:
    """Walk to the end as ``stepwise`` does with the target alone, ``ahead`` proposed steps at a time.

    Rows of a batch go on together, as far as the one with the first refusal, so few rows gain most. Both states need
    room for their prompts and for all steps; ``walk`` embeds for the target. Raises ValueError for ``ahead`` below 1.
    """
    if ahead < 1:
        raise ValueError(f"ahead must be at least 1 step, not {ahead}")
    tally = tally if tally is not None else Tally()
    last = walk.order.steps(walk.limit) - 1
    waiting: list[Tensor] = []  # inputs that the draft has not read yet
    while not walk.done:
        first = walk.index
        proposals, odds = [], []
        shown = [walk.feed()]
        waiting.append(draft.embed(first, walk.unit))
        for index in range(first, min(first + ahead, last)):
            z, null = _read(draft, waiting, 1, guided)
            step = walk.plan(z[:, 0], index - first)
            odds.append(draft.probabilities(z[:, 0], null[:, 0] if guided else None, step))
            unit = pick(odds[-1], generator).masked_fill(~step.real, walk.order.special)
            proposals.append(unit)
            shown.append(target.embed(index + 1, unit))
            waiting = [draft.embed(index + 1, unit)]
        z, null = _read(target, shown, len(shown), guided)
        tally.passes += 1
        for place in range(len(shown)):
            proposed = proposals[place] if place < len(proposals) else None
            step = walk.plan(z[:, place])
            mine = target.probabilities(z[:, place], null[:, place] if guided else None, step)
            if proposed is None:
                unit = pick(mine, generator)
            else:
                unit, kept = judge(proposed, mine, odds[place], step.real, generator)
                tally.judged += int(step.real.sum())
                tally.accepted += int((kept & step.real).sum())
            tally.steps += 1
            frame = walk.take(z[:, place], unit)
            if frame is not None:
                yield frame
            if walk.done or proposed is None or not torch.equal(walk.unit, proposed):
                break
        # Inputs that were made of units that did not come to be are forgotten.
        made = walk.index - first
        target.state.roll_back(target.state.length - (len(shown) - made))
        if made <= len(proposals):
            draft.state.roll_back(draft.state.length - (len(proposals) - made))
            waiting = []


def judge(
    proposed: Tensor, target: Tensor, draft: Tensor, real: Tensor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Codes (N, K) of which each row is drawn from ``target`` (N, K, V) when ``proposed`` (N, K) was from ``draft``.

    Also which of them (N, K) are the proposed ones, kept. Where ``real`` (N, K) is False nothing is judged.
    """
    codes = proposed.masked_fill(~real, 0).unsqueeze(-1)
    p, q = target.gather(-1, codes).squeeze(-1), draft.gather(-1, codes).squeeze(-1)
    luck = torch.rand(p.shape, generator=generator, dtype=p.dtype, device=p.device)
    good = (luck * q < p) | ~real
    kept = good.long().cumprod(1).bool()
    more = (target - draft).clamp(min=0)
    # Where both are the same up to rounding there is no more of anything, and a refusal is as rare.
    more = torch.where(more.sum(-1, keepdim=True) > 0, more, target)
    refused = ~kept & (kept.long().sum(1, keepdim=True) == torch.arange(kept.shape[1], device=kept.device))
    anew = pick(torch.where(refused.unsqueeze(-1), more, target), generator)
    return torch.where(kept, proposed, anew), kept


def pick(probabilities: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Codes (N, K) drawn from probabilities (N, K, V), which need not sum to 1."""
    flat = torch.multinomial(probabilities.flatten(0, 1), 1, generator=generator)
    return flat.view(probabilities.shape[:2])


def _read(model: Speaker, inputs: list[Tensor], places: int, guided: bool) -> tuple[Tensor, Tensor | None]:
    """The last outputs (N, places, C) of a model after these inputs, and the null rows'."""
    z, model.state = model.backbone.step(torch.cat(inputs, dim=1), model.state)
    z = z[:, -places:]
    return z.chunk(2) if guided else (z, None)
