"""Optimisers: which weights each takes, and that a run with either goes on as if it had never stopped."""

import pytest
import torch
from torch import nn

from speechgen.training import optimisers
from speechgen.training.loop import train
from speechgen.training.optimisers import build_optimiser
from speechgen.training.pace import TrainConfig


def network() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Embedding(100, 64), nn.Linear(64, 128), nn.LayerNorm(128), nn.Linear(128, 8))
    network[3].bias.requires_grad_(False)
    return network


def test_muon_takes_matrices_between_hidden_widths_and_adamw_the_rest() -> None:
    model = network()
    optimiser = build_optimiser(model, TrainConfig(steps=1, optimiser="muon", weight_decay=0.1))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [sorted(names[id(p)] for p in group["params"]) for group in optimiser.param_groups]
    assert groups == [["1.weight"], ["0.weight", "3.weight"], ["1.bias", "2.bias", "2.weight"]]
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.1, 0.1, 0.0]


def test_a_step_of_muon_is_as_large_as_one_of_adamw_later_and_turns_all_ways() -> None:
    """Its singular values are much closer to each other than those of AdamW's."""
    ids, steps = torch.arange(100), {}
    for name in ("adamw", "muon"):
        model = network()
        optimiser = build_optimiser(model, TrainConfig(steps=1, optimiser=name, learning_rate=1e-3, weight_decay=0.0))
        before = model[1].weight.detach().clone()
        model(ids).square().mean().backward()
        optimiser.step()
        steps[name] = model[1].weight.detach() - before
    size = {name: step.square().mean().sqrt().item() for name, step in steps.items()}
    assert size["muon"] == pytest.approx(0.2 * size["adamw"], rel=0.15)  # AdamW's first step has full size everywhere
    spread = {name: (s := torch.linalg.svdvals(step))[0].item() / s[-1].item() for name, step in steps.items()}
    assert 4 * spread["muon"] < spread["adamw"]


def test_killed_and_resumed_is_never_stopped(build, config, tmp_path, left_behind, monkeypatch) -> None:
    monkeypatch.setattr(optimisers, "LEAST", 4)  # the tiny model has widths of 12 and less
    train(build("tts"), config(8, optimiser="muon"), tmp_path / "whole")
    train(build("tts"), config(8, optimiser="muon"), tmp_path / "resumed", until=5)
    train(build("tts"), config(8, optimiser="muon"), tmp_path / "resumed")
    train(build("tts"), config(8), tmp_path / "adamw")
    whole, resumed, adamw = (left_behind(tmp_path / name)[0]["weights"] for name in ("whole", "resumed", "adamw"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert any(not torch.equal(whole[name], adamw[name]) for name in whole)
