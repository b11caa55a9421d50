"""Low-rank adapters (LoRA; Hu et al. 2021) through peft: a few new weights beside frozen ones, merged when loaded."""

import importlib.util

from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.errors import UserError

EXTRA = "peft is not installed; pip install 'speechgen[lora]', or train all weights (without lora:)"


class LoRAConfig(Config):
    """``rank``: of the product added to each matrix; ``alpha``: the product counts alpha / rank times; ``parts``:
    modules of the model whose linear layers get one. All other weights stay as they are."""

    rank: int = Field(16, gt=0)
    alpha: float = Field(32.0, gt=0)
    parts: list[str] = ["transformer", "head"]


def add_lora(module: nn.Module, config: LoRAConfig) -> None:
    """Freeze a model and put adapters beside the linear layers of its parts; they begin as zero: nothing changes yet.

    Raises UserError without peft, or for a part that the model does not have.
    """
    if importlib.util.find_spec("peft") is None:
        raise UserError(EXTRA)
    from peft import LoraConfig, inject_adapter_in_model

    for part in config.parts:
        if part not in (children := dict(module.named_children())):
            raise UserError(f"lora.parts: {part}: the model has {', '.join(children)}")
    layers = [
        name
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and name.partition(".")[0] in config.parts
    ]
    inject_adapter_in_model(LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=layers), module)


def learned(module: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """By the name of each layer that has an adapter, ``up`` (out, rank) and ``down`` (rank, in): merging adds their
    product to its weight."""
    from peft.tuners.lora import LoraLayer

    found = {}
    for name, layer in module.named_modules():
        if isinstance(layer, LoraLayer):
            (key,) = layer.active_adapters
            up, down = layer.lora_B[key].weight.detach(), layer.lora_A[key].weight.detach()
            found[name] = layer.scaling[key] * up, down
    return found


def merge_lora(module: nn.Module) -> None:
    """Add what the adapters learned to the weights beside them, and take them out: the model is a plain one again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(module.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(module.get_submodule(parent), child, layer.get_base_layer())
    del module.peft_config
