"""Everything a run needs to go on as if it had never stopped, in one folder that appears all at once."""

import os
import random
import shutil
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from speechgen.errors import UserError
from speechgen.models.weights import BEST, list_checkpoints, load_weights

KEEP = 2


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


def save_best(exp: Path, averages: dict[str, nn.Module]) -> None:
    """Write ``exp/best``: the averaged weights whose held-out loss is the lowest so far, for ``speechgen pack``."""
    partial = exp / f".{BEST}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, average in averages.items():
        safetensors.torch.save_file(_contiguous(average.state_dict()), partial / f"{name}-ema.safetensors")
    shutil.rmtree(exp / BEST, ignore_errors=True)
    os.replace(partial, exp / BEST)


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


def _contiguous(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    # safetensors refuses shared storage; views are cloned, so what is read back is independent.
    return {name: tensor.detach().clone().contiguous() for name, tensor in weights.items()}


def seed_everything(seed: int) -> None:
    """Seed what draws without an explicit generator: weight initialisation and dropout."""
    random.seed(seed)
    torch.manual_seed(seed)
