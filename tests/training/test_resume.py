"""A run that was killed and went on ends, bit for bit, where one that was never stopped does."""

import signal

import pytest
import torch

from speechgen.errors import UserError
from speechgen.models.weights import list_checkpoints
from speechgen.training.interrupt import Interrupt
from speechgen.training.loop import train


def stop_at(task, step: int):
    """Make a task die when batch ``step`` is asked for."""
    batch = task.batch

    def dying(number: int, rank: int, ranks: int):
        if number == step:
            raise KeyboardInterrupt
        return batch(number, rank, ranks)

    task.batch = dying
    return task


def assert_same(one, other):
    """Equal in all: nested dicts, lists, tensors, numbers."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            assert_same(a, b)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other or one != one  # a NaN is like a NaN


@pytest.mark.parametrize("kind", ["listener", "codec", "tts", "one-step"])
def test_killed_and_resumed_is_never_stopped(kind, build, config, tmp_path, left_behind):
    # Step 5: after the checkpoint at step 3 and the log line at step 4, amid the window of the next one; for the codec
    # after k-means (2), the discriminators' entry (3) and a revival (4).
    train(build(kind), config(8, evaluate_every=6), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(stop_at(build(kind), 5), config(8, evaluate_every=6), tmp_path / "resumed")
    assert list_checkpoints(tmp_path / "resumed")[-1].name == "00000003"
    train(build(kind), config(8, evaluate_every=6), tmp_path / "resumed")
    assert_same(left_behind(tmp_path / "whole"), left_behind(tmp_path / "resumed"))


@pytest.fixture
def at_a_terminal():
    """What runs in the background is often started with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("at_a_terminal")
def test_an_interrupt_ends_the_step_and_keeps_it(build, config, tmp_path, left_behind, capsys):
    train(build("listener"), config(8, evaluate_every=6), tmp_path / "whole")
    task = build("listener")
    batch = task.batch

    def interrupting(number: int, rank: int, ranks: int):
        if number == 4:  # the checkpoint before is that of step 3
            signal.raise_signal(signal.SIGINT)
        return batch(number, rank, ranks)

    task.batch = interrupting
    with pytest.raises(KeyboardInterrupt):
        train(task, config(8, evaluate_every=6), tmp_path / "resumed")
    assert list_checkpoints(tmp_path / "resumed")[-1].name == "00000005"
    assert "stopped after step 5; the same command goes on from step 5" in " ".join(capsys.readouterr().out.split())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train(build("listener"), config(8, evaluate_every=6), tmp_path / "resumed")
    assert_same(left_behind(tmp_path / "whole"), left_behind(tmp_path / "resumed"))


@pytest.mark.usefixtures("at_a_terminal")
def test_a_second_interrupt_waits_for_nothing():
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with Interrupt(wanted=False) as interrupt, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not interrupt.asked


def test_the_codec_s_opponents_and_balance_were_in_play(build, config, tmp_path, left_behind):
    train(build("codec"), config(8), tmp_path)
    checkpoint, log = left_behind(tmp_path)
    assert {"codec/adversarial", "codec/feature_matching", "discriminators/loss"} <= log.keys()
    balanced = checkpoint["state"]["extra"]["task"]["balancer"]
    assert balanced.keys() == {"adversarial", "feature_matching", "mel", "stft", "waveform"}
    assert {"codec", "discriminators"} == checkpoint["state"]["optimisers"].keys()


def test_a_half_written_checkpoint_is_not_taken_up(build, config, tmp_path, left_behind):
    train(build("line"), config(8), tmp_path / "whole")
    train(build("line"), config(8), tmp_path / "killed", until=3)
    folder = tmp_path / "killed" / "checkpoints"
    (folder / ".00000006.123").mkdir()
    (folder / ".00000006.123" / "line.safetensors").write_bytes(b"half")
    (folder / "00000007").mkdir()  # as a file system may leave it: the folder, not its files
    train(build("line"), config(8), tmp_path / "killed")
    whole, killed = left_behind(tmp_path / "whole"), left_behind(tmp_path / "killed")
    assert_same(whole[0]["weights"], killed[0]["weights"])


def test_checkpoints_of_one_rank_serve_any_number(build, config, tmp_path):
    """An older layout, too, with the draws of one rank as a plain vector, is understood."""
    train(build("line"), config(8), tmp_path, until=3)
    path = list_checkpoints(tmp_path)[-1] / "state.pt"
    state = torch.load(path, weights_only=True)
    assert state["extra"]["generator"].shape[0] == 1
    state["extra"] = {"generator": state["extra"]["generator"][0], "task": state["extra"]["task"]}
    torch.save(state, path)
    train(build("line"), config(8), tmp_path)
    assert list_checkpoints(tmp_path)[-1].name == "00000008"


def test_another_model_s_checkpoint_is_refused_by_tensor(build, config, tmp_path):
    train(build("line"), config(8), tmp_path, until=3)
    task = build("line")
    task.players = {"line": torch.nn.Linear(4, 1)}
    with pytest.raises(UserError, match=r"line.safetensors: tensor 'weight' is \(1, 3\), the config asks for \(1, 4\)"):
        train(task, config(8), tmp_path)
