"""Checkpoints that were damaged, or made to do damage."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from speechgen.errors import UserError
from speechgen.models.weights import list_checkpoints, load_weights
from speechgen.training.checkpoint import load_checkpoint, save_checkpoint


class Bomb:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def parts():
    module = torch.nn.Linear(3, 2)
    return {"m": module}, {"m": torch.optim.AdamW(module.parameters())}


@pytest.fixture
def saved(parts, tmp_path):
    modules, optimisers = parts
    modules["m"](torch.ones(1, 3)).sum().backward()
    optimisers["m"].step()
    return save_checkpoint(tmp_path, 7, modules, optimisers, {"generator": torch.zeros(1), "window": {"a": [1.0]}})


def test_a_round_trip(saved, parts):
    weight = parts[0]["m"].weight.detach().clone()
    module = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(module.parameters())
    state = load_checkpoint(saved, {"m": module}, {"m": optimiser})
    assert torch.equal(module.weight, weight)
    assert state["step"] == 7 and state["extra"]["window"] == {"a": [1.0]}
    assert optimiser.state_dict()["state"][0]["step"] == 1


def test_dropout_s_draws_go_on(parts, tmp_path):
    torch.manual_seed(3)
    folder = save_checkpoint(tmp_path, 1, *parts, {})
    expected = torch.rand(4)
    torch.manual_seed(99)
    load_checkpoint(folder, *parts)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("part", ["m.safetensors", "state.pt"])
@pytest.mark.parametrize("keep", [0, 20, -9])
def test_a_truncated_file_is_named(part, keep, saved, parts):
    path = saved / part
    content = path.read_bytes()
    path.write_bytes(content[:keep])
    with pytest.raises(UserError, match=part):
        load_checkpoint(saved, *parts)


def test_a_pickle_bomb_does_not_go_off(saved, parts, tmp_path):
    for content in (torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))):
        content({"step": 7, "optimisers": Bomb(tmp_path / "exploded")}, saved / "state.pt")
        with pytest.raises(UserError, match="state.pt: not a checkpoint of ours"):
            load_checkpoint(saved, *parts)
    assert not (tmp_path / "exploded").exists()


def test_a_bomb_for_weights_does_not_go_off(saved, parts, tmp_path):
    torch.save(Bomb(tmp_path / "exploded"), saved / "m.safetensors")
    with pytest.raises(UserError, match="m.safetensors: damaged or not safetensors"):
        load_checkpoint(saved, *parts)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "state", [{}, [1, 2], {"step": 7, "optimisers": {}}, {"step": 7, "optimisers": {"m": {"state": {}}}}]
)
def test_a_foreign_state_is_refused(state, saved, parts):
    torch.save(state, saved / "state.pt")
    with pytest.raises(UserError, match="state.pt: not a checkpoint of ours"):
        load_checkpoint(saved, *parts)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"weight": torch.zeros(2, 3)}, "'bias' is missing"),
        ({"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, r"'weight' is \(2, 4\), the config asks for \(2, 3\)"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "x": torch.zeros(1)}, "'x' has no place"),
    ],
)
def test_weights_of_another_config_are_named(weights, message, tmp_path):
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=f"model.safetensors: tensor {message}"):
        load_weights(torch.nn.Linear(3, 2), tmp_path / "model.safetensors")


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(UserError, match="model.safetensors: no such weights"):
        load_weights(torch.nn.Linear(3, 2), tmp_path / "model.safetensors")


def test_a_damaged_checkpoint_changes_no_weights(saved, parts):
    before = parts[0]["m"].weight.detach().clone()
    (saved / "m.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(UserError):
        load_checkpoint(saved, *parts)
    assert torch.equal(parts[0]["m"].weight, before)


def test_only_whole_checkpoints_are_listed(saved, tmp_path):
    (tmp_path / "checkpoints" / "00000009").mkdir()
    (tmp_path / "checkpoints" / ".00000008.1").mkdir()
    assert list_checkpoints(tmp_path) == [saved]
    assert list_checkpoints(tmp_path / "nowhere") == []


def test_tensors_that_share_memory_are_stored(tmp_path):
    module = torch.nn.Linear(3, 3)
    module.register_buffer("view", module.weight.detach().T)
    folder = save_checkpoint(tmp_path, 1, {"m": module}, {}, {})
    fresh = torch.nn.Linear(3, 3)
    fresh.register_buffer("view", torch.zeros(3, 3))
    load_weights(fresh, folder / "m.safetensors")
    assert torch.equal(fresh.view, module.weight.T)
