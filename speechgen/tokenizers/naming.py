"""Weights under the names of another code base, brought to ours by the order in which the layers lie."""

import re
from collections.abc import Iterable

from torch import Tensor, nn


def natural(name: str) -> list:
    """A key to sort names by, with numbers as numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def layers(weights: dict[str, Tensor], prefix: str) -> list[str]:
    """Names of the layers under a prefix, in order."""
    return sorted({name.rpartition(".")[0] for name in weights if name.startswith(prefix)}, key=natural)


def by_order(
    weights: dict[str, Tensor],
    theirs: Iterable[str],
    module: nn.Module,
    prefix: str,
    same: dict[str, str] | None = None,
) -> dict[str, Tensor]:
    """The weights of their layers under the names of ``module``'s layers, one after another.

    ``same``: how a parameter is called there, where it is not called as here. Weights that are missing are left out.
    """
    ours = [name for name, part in module.named_modules() if next(part.parameters(recurse=False), None) is not None]
    found = {}
    for mine, other in zip(ours, theirs, strict=False):
        for name, _ in module.get_submodule(mine).named_parameters(recurse=False):
            tensor = weights.get(f"{other}.{(same or {}).get(name, name)}")
            if tensor is not None:
                found[f"{prefix}.{mine}.{name}"] = tensor
    return found
