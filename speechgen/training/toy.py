"""Training of a head alone, on points: the loss and the sampling of speech and images, without a backbone."""

from collections.abc import Callable

import torch
from torch import Tensor

from speechgen.heads.base import Head

# The targets (N, 2) of a step, and what else the head's loss takes.
Batch = Callable[[int], tuple[Tensor, dict[str, Tensor]]]


def train_points(
    head: Head,
    batch: Batch,
    steps: int,
    learning_rate: float,
    generator: torch.Generator,
    on_step: Callable[[], None] = lambda: None,
) -> float:
    """Train by AdamW with a rate that rises and falls; returns the mean loss of the last tenth of the steps."""
    optimiser = torch.optim.AdamW(head.parameters(), lr=learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps, pct_start=0.1)
    losses = []
    for step in range(steps):
        target, given = batch(step)
        loss = head.loss(nothing(len(target)), target, generator, **given)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        on_step()
    last = losses[-max(1, steps // 10) :]
    return sum(last) / len(last)


def nothing(count: int) -> Tensor:
    """What a head is told where there is nothing to tell: z (count, 1) of zeros."""
    return torch.zeros(count, 1)
