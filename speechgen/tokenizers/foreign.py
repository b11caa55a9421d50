"""Codecs that transformers has saved (EnCodec, DAC, Mimi) as codecs of our own, with the same codes and audio.

A family's module says how its config reads in our words, and under which names its weights lie in ours.
"""

import json
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from speechgen.errors import UserError, nearest
from speechgen.tokenizers import dac, encodec, mimi
from speechgen.tokenizers.codec import Codec, build_codec

FAMILIES = {"encodec": encodec, "dac": dac, "mimi": mimi}


def load_foreign(folder: Path) -> Codec:
    """A folder with transformers' ``config.json`` and ``model.safetensors`` as a codec.

    Raises UserError for another kind of model, options that ours do not have, and weights that do not fit.
    """
    try:
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        family = values.get("model_type")
    except (OSError, ValueError, AttributeError):
        raise UserError(f"{folder / 'config.json'}: not the config of a model of transformers") from None
    if family not in FAMILIES:
        raise UserError(f"{folder}: model_type {family!r} is no codec known here{nearest(str(family), FAMILIES)}")
    module = FAMILIES[family]
    try:
        for key, wanted in module.FIXED.items():
            if values.get(key, wanted) != wanted:
                raise UserError(f"{folder}: {family} with {key}: {values[key]}; only {wanted} is known here")
        codec = build_codec(module.config(values))
        theirs = safetensors.torch.load_file(folder / "model.safetensors")
    except KeyError as error:
        raise UserError(f"{folder / 'config.json'}: {error} is missing") from None
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / 'model.safetensors'}: damaged or missing ({str(error)[:80]})") from None
    _fill(codec, module.weights(_folded(theirs), codec), folder)
    return codec


def _fill(codec: Codec, weights: dict[str, Tensor], folder: Path) -> None:
    wanted = codec.state_dict()
    for name in dict(codec.named_parameters()):
        if name not in weights:
            raise UserError(f"{folder}: nothing fits our {name!r}; the weights belong to another config")
        if weights[name].numel() != wanted[name].numel():
            raise UserError(
                f"{folder}: {tuple(weights[name].shape)} for our {name!r}, which is {tuple(wanted[name].shape)}"
            )
    codec.load_state_dict({**wanted, **{name: tensor.view(wanted[name].shape) for name, tensor in weights.items()}})


def _folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights that were stored as length and direction (weight norm), multiplied out."""
    plain = dict(weights)
    newer = ".parametrizations.weight.original"
    for length, direction in ((".weight_g", ".weight_v"), (f"{newer}0", f"{newer}1")):
        for name in [name for name in plain if name.endswith(length)]:
            stem = name.removesuffix(length)
            g, v = plain.pop(name), plain.pop(stem + direction)
            plain[f"{stem}.weight"] = torch._weight_norm(v, g, 0)
    return plain
