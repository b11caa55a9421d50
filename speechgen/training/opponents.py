"""Discriminators that outlive their run: kept beside a codec's weights, so that fine-tuning need not raise new ones."""

import json
import os
from pathlib import Path

import safetensors
import safetensors.torch
import yaml
from torch import Tensor, nn

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.losses.discriminators import DiscriminatorConfig
from speechgen.models.load import folder_of
from speechgen.models.weights import list_checkpoints

KEPT = "discriminators.safetensors"
CONFIG = "config"  # the key of the file's metadata that holds the sizes, as JSON
AVERAGED = "module."  # how torch's AveragedModel begins the names of weights


def read_discriminators(model: str | Path) -> tuple[DiscriminatorConfig, dict[str, Tensor]] | None:
    """Sizes and averaged weights of the discriminators of a run or of a packed model, or None where there are none.

    Raises UserError for a damaged file.
    """
    folder = folder_of(model)
    checkpoints = list_checkpoints(folder)
    path = checkpoints[-1] / "discriminators-ema.safetensors" if checkpoints else folder / KEPT
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, "pt") as file:
            values = json.loads((file.metadata() or {}).get(CONFIG, "{}"))
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except Exception as error:
        raise UserError(f"{path}: damaged or not safetensors ({' '.join(str(error).split())[:120]})") from None
    if checkpoints:
        run = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        values = run.get("task", {}).get("adversarial", {}).get("discriminators", {})
        weights = {name.removeprefix(AVERAGED): w for name, w in weights.items() if name.startswith(AVERAGED)}
    weights = {name: w.float() if w.is_floating_point() else w for name, w in weights.items()}
    return make_config(DiscriminatorConfig, values, str(path)), weights


def keep_discriminators(exp: Path, out: Path, half: bool = False) -> bool:
    """Write a run's discriminators beside its packed model; whether there are any. Those of an older pack go.

    Raises UserError for a damaged checkpoint.
    """
    found = read_discriminators(exp)
    if found is None:
        (out / KEPT).unlink(missing_ok=True)
        return False
    config, weights = found
    weights = {name: (w.half() if half and w.is_floating_point() else w).contiguous() for name, w in weights.items()}
    partial = out / f".{KEPT}.{os.getpid()}"
    safetensors.torch.save_file(weights, partial, {CONFIG: config.model_dump_json()})
    os.replace(partial, out / KEPT)
    return True


def start_discriminators(discriminators: nn.Module, config: DiscriminatorConfig, initial: str | Path) -> bool:
    """Fill fresh discriminators with those kept in ``initial``; whether there were any.

    Raises UserError when they have other sizes than the config asks for.
    """
    found = read_discriminators(initial)
    if found is None:
        return False
    kept, weights = found
    different = [key for key in type(kept).model_fields if getattr(kept, key) != getattr(config, key)]
    if different:
        wanted = ", ".join(f"{key}: {json.dumps(getattr(kept, key))}" for key in different)
        raise UserError(
            f"initial: {initial}: its discriminators have {wanted}; set that in task.adversarial.discriminators, "
            "or begin with new ones by task.adversarial.from_initial=false"
        )
    missing, unexpected = discriminators.load_state_dict(weights, strict=False)
    if missing or unexpected:
        raise UserError(f"initial: {initial}: {KEPT} lacks {(missing or unexpected)[0]!r} or has too much")
    return True
