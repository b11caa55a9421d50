"""The training loop: what it lowers, where it stops, what it leaves out, what it writes down."""

import json
import math

import pytest
import torch

from speechgen.errors import UserError
from speechgen.evaluation.curves import read_curves
from speechgen.models.weights import list_checkpoints
from speechgen.training.facts import read_facts
from speechgen.training.loop import train
from speechgen.training.pace import Pace


def test_the_loss_falls_and_the_averaged_weights_follow(build, config, tmp_path, left_behind):
    train(build("line"), config(150, learning_rate=0.1, ema=0.9), tmp_path)
    checkpoint, log = left_behind(tmp_path)
    errors = [value for _, value in log["line/error"]]
    assert errors[-1] < 1e-3 < errors[0]
    weights = checkpoint["weights"]
    torch.testing.assert_close(weights["line.safetensors/weight"], torch.ones(1, 3), atol=0.05, rtol=0)
    averaged = weights["line-ema.safetensors/module.weight"]
    torch.testing.assert_close(averaged, torch.ones(1, 3), atol=0.05, rtol=0)
    assert log["dev/bias"] == [(150, pytest.approx(weights["line-ema.safetensors/module.bias"].item()))]


def test_until_stops_with_a_checkpoint_from_which_the_next_call_goes_on(build, config, tmp_path):
    train(build("line"), config(8), tmp_path, until=5)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["00000003", "00000005"]
    train(build("line"), config(8), tmp_path)
    assert list_checkpoints(tmp_path)[-1].name == "00000008"


def test_a_finished_run_is_left_as_it_is(build, config, tmp_path, left_behind):
    train(build("line"), config(4), tmp_path)
    before = left_behind(tmp_path)[0]
    train(build("line"), config(4), tmp_path)
    after = left_behind(tmp_path)[0]
    assert before["name"] == after["name"]
    assert all(torch.equal(after["weights"][name], tensor) for name, tensor in before["weights"].items())


def test_only_the_last_two_checkpoints_are_kept(build, config, tmp_path):
    train(build("line"), config(9, checkpoint_every=2), tmp_path)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["00000008", "00000009"]
    assert not list(tmp_path.glob("checkpoints/.*"))


def test_a_step_without_a_finite_gradient_changes_nothing_and_is_counted(build, config, tmp_path, left_behind):
    train(build("line"), config(5, log_every=1), tmp_path / "four", until=4)
    train(build("line", spoil=lambda step: step == 4), config(5, log_every=1), tmp_path / "spoiled")
    (four, _), (spoiled, log) = left_behind(tmp_path / "four"), left_behind(tmp_path / "spoiled")
    assert int(spoiled["weights"]["line-ema.safetensors/n_averaged"]) == 4
    assert all(torch.equal(spoiled["weights"][name], tensor) for name, tensor in four["weights"].items())
    assert log["line/skipped_steps"] == [(5, 1.0)]
    assert math.isnan(dict(log["line/total"])[5])


def test_after_some_bad_steps_in_a_row_the_last_checkpoint_is_taken_up(build, config, tmp_path, left_behind):
    train(build("line"), config(3), tmp_path / "three")
    train(build("line", spoil=lambda step: step in (4, 5, 6)), config(7, log_every=1), tmp_path / "spoiled", until=7)
    (three, _), (spoiled, log) = left_behind(tmp_path / "three"), left_behind(tmp_path / "spoiled")
    assert log["line/returns"] == [(7, 1.0)] and len(log["line/skipped_steps"]) == 3
    assert all(torch.equal(spoiled["weights"][name], tensor) for name, tensor in three["weights"].items())
    train(build("line"), config(12), tmp_path / "spoiled")
    assert list_checkpoints(tmp_path / "spoiled")[-1].name == "00000012"


def test_buffers_that_a_bad_batch_spoilt_are_brought_back(build, config, tmp_path, left_behind):
    task = build("codec")
    batch = task.batch
    task.batch = lambda step, *ranks: batch(step, *ranks) * (float("nan") if step == 4 else 1.0)
    train(task, config(7, log_every=1), tmp_path)
    checkpoint, log = left_behind(tmp_path)
    assert log["codec/returns"] == [(5, 1.0)]
    weights = {name: tensor for name, tensor in checkpoint["weights"].items() if tensor.is_floating_point()}
    assert weights and all(tensor.isfinite().all() for tensor in weights.values())


def test_going_back_again_and_again_ends_with_a_sentence(build, config, tmp_path):
    task = build("line", spoil=lambda step: step > 4)
    with pytest.raises(UserError, match="went back to the checkpoint [45] times"):
        train(task, config(40, log_every=4), tmp_path)


def test_a_run_without_any_finite_gradient_ends_with_a_sentence(build, config, tmp_path):
    with pytest.raises(UserError, match="no finite gradient; lower training.learning_rate"):
        train(build("line", spoil=lambda step: True), config(8, log_every=8), tmp_path)


def test_what_the_run_cost_is_written_down_and_summed_over_resumed_runs(build, config, tmp_path):
    about = {"kind": "line", "data": [{"name": "mini", "hours": 0.5}]}
    train(build("line"), config(8), tmp_path, until=4, about=about)
    first = read_facts(tmp_path)
    train(build("line"), config(8), tmp_path, about=about)
    facts = read_facts(tmp_path)
    assert facts["kind"] == "line" and facts["data"] == about["data"]
    assert (first["step"], facts["step"], facts["steps"], facts["ranks"]) == (4, 8, 8, 1)
    assert facts["seconds"] >= first["seconds"] >= 0
    assert "cores" in facts["machine"] and facts["torch"] == torch.__version__


def test_seconds_go_on_from_those_of_the_checkpoint(build, config, tmp_path):
    train(build("line"), config(8), tmp_path, until=4)
    path = list_checkpoints(tmp_path)[-1] / "state.pt"
    state = torch.load(path, weights_only=True)
    state["extra"]["seconds"] = 1000.0
    torch.save(state, path)
    train(build("line"), config(8), tmp_path)
    assert 1000 <= read_facts(tmp_path)["seconds"] < 1600


class Clock:
    """Time that passes by a second with every look, so that a training by the clock can be tested without one."""

    def __init__(self, seconds: float = 1.0):
        self.time, self.seconds = 0.0, seconds

    def monotonic(self) -> float:
        self.time += self.seconds
        return self.time


def test_a_run_by_the_clock_ends_in_time_and_is_seen_and_saved_on_the_way(build, config, tmp_path, monkeypatch):
    timed = config(10**9, hours=0.1, evaluate_minutes=1, checkpoint_minutes=2, learning_rate=1.0, final_learning_rate=0)
    monkeypatch.setattr("speechgen.training.pace.time", Clock())
    task = build("line", stop_at=300)  # killed in the fifth minute
    with pytest.raises(KeyboardInterrupt):
        train(task, timed, tmp_path)
    saved = torch.load(list_checkpoints(tmp_path)[-1] / "state.pt", weights_only=True)
    assert 240 <= saved["extra"]["seconds"] < 250
    train(build("line"), timed, tmp_path)
    facts = read_facts(tmp_path)
    assert 360 <= facts["seconds"] < 365 and facts["hours"] == 0.1 and facts["step"] == facts["steps"] < 360
    minutes = [60 * value for _, value in read_curves(tmp_path)["hours"]]
    assert [int(minute + 0.01) for minute in minutes] == [1, 2, 3, 4, 5, 6]
    last = torch.load(list_checkpoints(tmp_path)[-1] / "state.pt", weights_only=True)
    assert last["optimisers"]["line"]["param_groups"][0]["lr"] < 1e-3  # the rate has come down by the end
    train(build("line", stop_at=facts["step"]), timed, tmp_path)  # over is over: no further batch is asked for


def test_slow_evaluations_do_not_follow_one_another(build, config, tmp_path, monkeypatch):
    clock, task = Clock(), build("line")
    monkeypatch.setattr("speechgen.training.pace.time", clock)
    evaluate = task.evaluate

    def slowly(*arguments):
        clock.time += 90.0
        return evaluate(*arguments)

    task.evaluate = slowly
    train(task, config(10**9, hours=0.1, evaluate_minutes=1, log_every=1), tmp_path)
    steps = [step for step, _ in read_curves(tmp_path)["hours"]]
    assert len(steps) == 3 and all(later - earlier > 20 for earlier, later in zip(steps, steps[1:]))


def test_a_gpu_that_is_not_there_is_one_line(build, config, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: this machine has no GPU"):
        train(build("line"), config(2), tmp_path, device="cuda")
    assert not list(tmp_path.iterdir())


def test_facts_that_cannot_be_read_are_none(tmp_path):
    assert read_facts(tmp_path) == {}
    (tmp_path / "facts.json").write_text('{"step": ')
    assert read_facts(tmp_path) == {}
    (tmp_path / "facts.json").write_text(json.dumps([1]))
    assert read_facts(tmp_path) == {}


def test_the_learning_rate_rises_and_falls(config):
    plan = config(100, warmup=10, learning_rate=1.0, final_learning_rate=0.1)
    rates = [Pace(plan).learning_rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0)
    assert rates[:10] == sorted(rates[:10]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.55) and rates[100] == pytest.approx(0.1)


def test_biases_and_norms_are_not_decayed(build, config, tmp_path, left_behind):
    train(build("line"), config(2), tmp_path)
    groups = left_behind(tmp_path)[0]["state"]["optimisers"]["line"]["param_groups"]
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert [len(group["params"]) for group in groups] == [1, 1]
