"""Several processes on one batch are one process on it; a killed process resumes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

PROGRAM = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import TASKS, short
from speechgen.training.loop import train

kind, exp, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
task = TASKS[kind]()
if len(sys.argv) > 4:  # die the hard way when this batch is asked for; with ranks, only the second one does
    batch, last = task.batch, int(sys.argv[4])
    def dying(step, rank, ranks):
        if step == last and rank == ranks - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return batch(step, rank, ranks)
    task.batch = dying
train(task, short(steps, bf16=False, evaluate_every=1000), exp, device="cpu")
weights = {{}}
for player in task.players.values():
    weights |= {{name: tensor.clone().contiguous() for name, tensor in player.state_dict().items()}}
from safetensors.torch import save_file
save_file(weights, exp / ("rank" + os.environ.get("RANK", "0") + ".st"))
"""


@pytest.fixture
def run(tmp_path):
    """run(kind, exp, steps, die_at, ranks=2) trains in processes of its own; the completed call."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(tests=str(Path(__file__).parent)), encoding="utf-8")

    def run(*arguments, ranks: int = 1) -> subprocess.CompletedProcess:
        launch = [sys.executable]
        if ranks > 1:
            launch += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(ranks)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        command = [*launch, str(program), *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)

    return run


@pytest.mark.slow
def test_two_ranks_are_one_rank(run, tmp_path):
    for name, ranks in (("one", 1), ("two", 2)):
        done = run("line", tmp_path / name, 12, ranks=ranks)
        assert done.returncode == 0, done.stderr
    one, *two = (load_file(tmp_path / path) for path in ("one/rank0.st", "two/rank0.st", "two/rank1.st"))
    for weights in two:
        torch.testing.assert_close(weights, one, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_ranks_of_a_codec_agree_although_each_starts_codes_from_its_own_data(run, tmp_path):
    done = run("codec", tmp_path / "exp", 8, ranks=2)
    assert done.returncode == 0, done.stderr
    first, second = (load_file(tmp_path / "exp" / f"rank{rank}.st") for rank in (0, 1))
    parameters = {name for name in first if "usage" not in name and "latent" not in name and "seen" not in name}
    assert len(parameters) > 10
    for name in parameters:
        assert torch.equal(first[name], second[name]), name


@pytest.mark.slow
def test_when_a_rank_dies_all_end_and_the_run_goes_on_later(run, tmp_path):
    died = run("line", tmp_path / "exp", 12, 7, ranks=2)
    assert died.returncode not in (0, 2)
    assert sorted(path.name for path in (tmp_path / "exp/checkpoints").glob("0*"))[-1] == "00000006"
    assert run("line", tmp_path / "exp", 12, ranks=2).returncode == 0
    assert run("line", tmp_path / "whole", 12, ranks=2).returncode == 0
    assert load_file(tmp_path / "exp/rank0.st")["weight"].equal(load_file(tmp_path / "whole/rank0.st")["weight"])


@pytest.mark.slow
def test_a_process_killed_outright_goes_on_as_if_never_stopped(run, tmp_path, left_behind):
    killed = run("codec", tmp_path / "killed", 8, 5)
    assert killed.returncode == -signal.SIGKILL
    for name in ("killed", "whole"):
        assert run("codec", tmp_path / name, 8).returncode == 0
    killed, whole = (left_behind(tmp_path / name) for name in ("killed", "whole"))
    assert all(torch.equal(whole[0]["weights"][name], tensor) for name, tensor in killed[0]["weights"].items())
    assert killed[1] == whole[1]
