"""Everything a run needs to go on as if it had never stopped, in one folder that appears all at once."""

import os
import random
import shutil
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from speechgen.errors import UserError

KEEP = 2
BEST = "best"


def save_checkpoint(exp: Path, step: int, modules: dict[str, nn.Module], optimisers: dict, extra: dict) -> Path:
    """Write ``exp/checkpoints/<step>``: weights as safetensors, optimisers and counters as tensors and numbers."""
    folder = exp / "checkpoints" / f"{step:08d}"
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, module in modules.items():
        safetensors.torch.save_file(_contiguous(module.state_dict()), partial / f"{name}.safetensors")
    state = {
        "step": step,
        "optimisers": {name: optimiser.state_dict() for name, optimiser in optimisers.items()},
        "torch_rng": torch.get_rng_state(),
        "extra": extra,
    }
    torch.save(state, partial / "state.pt")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    for old in list_checkpoints(exp)[:-KEEP]:
        shutil.rmtree(old)
    return folder


def list_checkpoints(exp: Path) -> list[Path]:
    """Finished checkpoints of a run, oldest first; a half-written one is hidden and never listed."""
    return sorted(path for path in (exp / "checkpoints").glob("[0-9]*") if (path / "state.pt").exists())


def save_best(exp: Path, averages: dict[str, nn.Module]) -> None:
    """Write ``exp/best``: the averaged weights whose held-out loss is the lowest so far, for ``speechgen pack``."""
    partial = exp / f".{BEST}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, average in averages.items():
        safetensors.torch.save_file(_contiguous(average.state_dict()), partial / f"{name}-ema.safetensors")
    shutil.rmtree(exp / BEST, ignore_errors=True)
    os.replace(partial, exp / BEST)


def weights_of_run(exp: Path) -> Path | None:
    """The folder with the averaged weights that a run is judged by: the best, else the newest; None before any."""
    checkpoints = list_checkpoints(exp)
    if not checkpoints:
        return None
    return exp / BEST if (exp / BEST).exists() else checkpoints[-1]


def load_checkpoint(folder: Path, modules: dict[str, nn.Module], optimisers: dict) -> dict:
    """Put a checkpoint back into modules and optimisers; returns its ``step`` and ``extra``.

    Only tensors and plain values are unpickled. Raises UserError for a damaged or foreign checkpoint.
    """
    for name, module in modules.items():
        load_weights(module, folder / f"{name}.safetensors")
    try:
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        for name, optimiser in optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        torch.set_rng_state(state["torch_rng"])
    except Exception as error:
        raise UserError(f"{folder / 'state.pt'}: not a checkpoint of ours ({type(error).__name__})") from None
    return state


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


def _contiguous(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    # safetensors refuses shared storage; views are cloned, so what is read back is independent.
    return {name: tensor.detach().clone().contiguous() for name, tensor in weights.items()}


def seed_everything(seed: int) -> None:
    """Seed what draws without an explicit generator: weight initialisation and dropout."""
    random.seed(seed)
    torch.manual_seed(seed)
