"""Early stopping: when it stops, which weights stay, and that a run that was killed decides the same."""

import pytest
import torch

from speechgen.errors import UserError
from speechgen.models.weights import BEST, list_checkpoints, load_weights
from speechgen.training.facts import read_facts
from speechgen.training.loop import Shown, train
from speechgen.training.patience import Patience


@pytest.fixture
def losing(build):
    """losing([3.0, 2.0, 2.5]) makes a task whose evaluations come out so, one after another; the last stays."""

    def make(losses, stop_at=None):
        task = build("line", stop_at=stop_at)
        task.weights_at = []

        def evaluate(models, generator) -> Shown:
            number = task.counted // 2 - 1  # evaluate_every = 2
            task.weights_at.append(models["line"].weight.detach().clone())
            return Shown(loss=losses[min(number, len(losses) - 1)])

        task.evaluate = evaluate
        return task

    return make


def best_of(exp):
    class Averaged(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = torch.nn.Linear(3, 1)
            self.register_buffer("n_averaged", torch.zeros((), dtype=torch.long))

    module = Averaged()
    load_weights(module, exp / BEST / "line-ema.safetensors")
    return module.module.weight.detach()


def test_patience_counts_evaluations_without_a_lower_loss():
    patience = Patience(2)
    assert [patience.look(loss, step) for step, loss in enumerate([3.0, 2.0, 2.0])] == [True, True, False]
    assert not patience.is_over and (patience.lowest, patience.step) == (2.0, 1)
    assert not patience.look(float("nan"), 3) and patience.is_over
    assert Patience(2, **patience.state()) == patience
    assert not any(Patience(0, worse=worse).is_over for worse in range(9))


def test_training_ends_early_and_the_best_weights_stay(losing, config, tmp_path):
    task = losing([3.0, 1.0, 2.0, 2.0, 0.1])
    train(task, config(20, evaluate_every=2, patience=2), tmp_path)
    assert int(list_checkpoints(tmp_path)[-1].name) == 8
    assert torch.equal(best_of(tmp_path), task.weights_at[1])
    assert not torch.equal(best_of(tmp_path), task.weights_at[-1])
    facts = read_facts(tmp_path)
    assert (facts["step"], facts["steps"], facts["best_step"]) == (8, 20, 4)
    again = losing([3.0])
    train(again, config(20, evaluate_every=2, patience=2), tmp_path)  # it stays ended
    assert not again.weights_at and int(list_checkpoints(tmp_path)[-1].name) == 8


def test_a_killed_run_stops_where_an_uninterrupted_one_does(losing, config, tmp_path):
    losses, settings = [3.0, 1.0, 2.0, 2.0, 0.1], config(20, evaluate_every=2, patience=2)
    train(losing(losses), settings, tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        train(losing(losses, stop_at=5), settings, tmp_path / "two")
    train(losing(losses), settings, tmp_path / "two")
    assert int(list_checkpoints(tmp_path / "two")[-1].name) == 8
    assert torch.equal(best_of(tmp_path / "one"), best_of(tmp_path / "two"))


def test_without_patience_nothing_is_kept_apart(losing, config, tmp_path):
    train(losing([1.0, 2.0]), config(8, evaluate_every=2), tmp_path)
    assert int(list_checkpoints(tmp_path)[-1].name) == 8 and not (tmp_path / BEST).exists()


def test_patience_needs_a_loss(build, config, tmp_path):
    with pytest.raises(UserError, match="training.patience: .* has no held-out loss"):
        train(build("line"), config(4, evaluate_every=2, patience=1), tmp_path)
