"""Weights in safetensors files: which of a training run's to take, and how a module is filled with them."""

from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from speechgen.errors import UserError

BEST = "best"  # of a run's folders, the one with the weights whose held-out loss is the lowest


def list_checkpoints(exp: Path) -> list[Path]:
    """Finished checkpoints of a run, oldest first; a half-written one is hidden and never listed."""
    return sorted(path for path in (exp / "checkpoints").glob("[0-9]*") if (path / "state.pt").exists())


def weights_of_run(exp: Path) -> Path | None:
    """The folder with the averaged weights that a run is judged by: the best, else the newest; None before any."""
    checkpoints = list_checkpoints(exp)
    if not checkpoints:
        return None
    return exp / BEST if (exp / BEST).exists() else checkpoints[-1]


def load_weights(module: nn.Module, path: Path, *more: Path) -> None:
    """Fill a module from one or more safetensors files; raises UserError naming the file and the first wrong tensor."""
    weights: dict[str, torch.Tensor] = {}
    for part in (path, *more):
        try:
            weights |= safetensors.torch.load_file(part)
        except FileNotFoundError:
            raise UserError(f"{part}: no such weights") from None
        except Exception as error:
            raise UserError(f"{part}: damaged or not safetensors ({' '.join(str(error).split())[:120]})") from None
    wanted = module.state_dict()
    for name, tensor in wanted.items():
        if name not in weights:
            raise UserError(f"{path}: tensor {name!r} is missing; the weights belong to another config")
        if weights[name].shape != tensor.shape:
            raise UserError(
                f"{path}: tensor {name!r} is {tuple(weights[name].shape)}, the config asks for {tuple(tensor.shape)}"
            )
    for name in weights:
        if name not in wanted:
            raise UserError(f"{path}: tensor {name!r} has no place in this model; the weights belong to another config")
    module.load_state_dict(weights)
