"""What turns gradients into steps: AdamW for all weights, or Muon for the matrices inside and AdamW for the rest."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from speechgen.training.pace import TrainConfig

# Below so many rows or columns a matrix is a way in or out (codes, latents, labels), not one between hidden widths.
LEAST = 64


class SideBySide:
    """Optimisers of parts of one model, used as one."""

    def __init__(self, *parts: torch.optim.Optimizer):
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict) -> None:
        for part, its in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(its)


def build_optimiser(player: nn.Module, config: TrainConfig) -> torch.optim.Optimizer | SideBySide:
    """The optimiser that a config names, for those weights of a model that are to be trained."""
    return _BUILDERS[config.optimiser](player, config)


def _adamw(player: nn.Module, config: TrainConfig, without: frozenset[nn.Parameter] = frozenset()) -> torch.optim.AdamW:
    # Biases, norms and scales are not decayed (GPT-2 and later practice).
    trained = [p for p in player.parameters() if p.requires_grad and p not in without]
    matrices, vectors = [p for p in trained if p.ndim >= 2], [p for p in trained if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def _muon(player: nn.Module, config: TrainConfig) -> torch.optim.Optimizer | SideBySide:
    """Steps whose singular values are all about one (Jordan et al. 2024), as large on average as AdamW's, so that one
    learning rate serves both (Liu et al. 2025, "Muon is scalable for LLM training", section 2.2)."""
    linear = [layer.weight for layer in player.modules() if isinstance(layer, nn.Linear)]
    inner = list(dict.fromkeys(p for p in linear if p.requires_grad and min(p.shape) >= LEAST))
    rest = _adamw(player, config, frozenset(inner))
    if not inner:
        return rest
    adjust = "match_rms_adamw"
    muon = torch.optim.Muon(
        inner, lr=config.learning_rate, weight_decay=config.weight_decay, momentum=0.95, adjust_lr_fn=adjust
    )
    return SideBySide(muon, rest)


_BUILDERS: dict[str, Callable[[nn.Module, TrainConfig], torch.optim.Optimizer | SideBySide]] = {
    "adamw": _adamw,
    "muon": _muon,
}
