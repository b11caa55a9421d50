"""Textual inversion (Gal et al. 2023): a new word for a generator, learned from a few images; nothing else changes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.models.generator import Generator
from speechgen.text.words import words_of


def invert(
    model: Generator,
    images: Tensor,
    name: str,
    steps: int,
    learning_rate: float,
    generator: torch.Generator,
    on_step: Callable[[float], None] = lambda loss: None,
) -> Generator:
    """The model with one more label, or word, that stands for what images (N, C, side, side) show; 3 to 5 are usual.

    Raises UserError for a name that is known already or, for a model of captions, is not one word.
    """
    known, captions = model.config.labels, model.config.captions
    if name in known or not name or (captions and words_of(name) != [name]):
        raise UserError(f"name {name!r}: choose a new {'word of lower-case letters' if captions else 'label'}")
    if model.config.small:
        raise UserError("the model enlarges small pictures, which know the new thing already; invert the small model")
    learned = Generator(model.config.model_copy(update={"labels": [*known, name]}))
    table = learned.label.word if captions else learned.label
    weights, place = dict(model.state_dict()), len(known)
    key = "label.word.weight" if captions else "label.weight"
    old = weights[key]  # its last row, for nothing, stays the last one
    weights[key] = torch.cat([old[:place], old[:place].mean(0, keepdim=True), old[place:]])
    learned.load_state_dict(weights)
    learned.eval().requires_grad_(False)
    units = learned.units_of(images)
    labels = learned.label_ids([name] * len(images))
    row = nn.Parameter(table.weight[place].clone())
    optimiser = torch.optim.Adam([row], lr=learning_rate)
    for _ in range(steps):
        weight = torch.cat([table.weight[:place], row[None], table.weight[place + 1 :]])
        loss = torch.func.functional_call(_Loss(learned), {f"model.{key}": weight}, (units, labels, generator))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        on_step(loss.item())
    with torch.no_grad():
        table.weight[place] = row
    return learned


class _Loss(nn.Module):
    """Gives ``losses`` the name that functional calls know."""

    def __init__(self, model: Generator) -> None:
        super().__init__()
        self.model = model

    def forward(self, units: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        return self.model.losses(units, labels, generator)
