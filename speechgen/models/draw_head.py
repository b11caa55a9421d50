"""How a loop of generation asks a model's head for units."""

import torch
from torch import Tensor

from speechgen.heads.base import STEPPED
from speechgen.orders.layout import Step


def head_of(model, drawing, generator: torch.Generator):
    """The head's ``sample`` with the options that it has."""
    options = {"guidance": drawing.guidance, "temperature": drawing.temperature, "generator": generator}
    if model.config.head.kind in STEPPED:
        options |= {"steps": drawing.steps, "solver": drawing.solver}

    def draw(z: Tensor, z_null: Tensor | None, step: Step | None = None, **more: float) -> Tensor:
        if step is not None and model.config.head.kind == "depth":
            more["real"] = step.real
        elif step is not None and step.allowed is not None:
            more["allowed"] = step.allowed
        return model.head.sample(z, z_null, **{**options, **more})

    return draw
