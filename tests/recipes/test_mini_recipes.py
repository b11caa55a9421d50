"""The small recipes from nothing to their last page: trainings, ablation, comparison, a night."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from speechgen.models.weights import list_checkpoints
from speechgen.training.facts import read_facts

ROOT = Path(__file__).resolve().parents[2]
STAGES = ["prepare", "dump", "train", "generate", "score", "pack", "demo"]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["listener", "codec", "tts", "wavenet", "image", "sound"])
def test_mini_runs_from_nothing_to_its_demo(egs, task: str, tmp_path: Path) -> None:
    run = egs.copy(ROOT / "egs/mini" / task / "run.sh", tmp_path / "a clone")
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 10")
    run.write_text(small, encoding="utf-8")
    for judge in run.parent.glob("conf/scorer/*.yaml"):
        config = judge.read_text(encoding="utf-8")
        judge.write_text(re.sub(r"  steps: \d+", "  steps: 6", config), encoding="utf-8")
    options = ["--nj", "1", "--ngpu", "0", "--set", "training.steps=6 training.evaluate_every=6"]
    said = egs.run(run, *options).splitlines()
    assert [line.split()[2].rstrip(":") for line in said if ": finished in" in line] == STAGES
    results = (run.parent / "RESULTS.md").read_text(encoding="utf-8")
    assert task in results.lower()
    assert (run.parent / f"exp/{task}/packed/model.safetensors").stat().st_size > 1000
    again = egs.run(run, *options)
    assert again.count("done already") == len(STAGES)


@pytest.mark.slow
def test_the_mini_ablation_runs_from_nothing_to_its_table(egs, tmp_path: Path) -> None:
    run = egs.copy(ROOT / "egs/mini/codec/ablation.sh", tmp_path / "a clone")
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 10")
    run.write_text(small, encoding="utf-8")
    budget = "training.steps=6 training.evaluate_every=3 task.batch=2 task.adversarial.start_step=2"
    options = ["--nj", "1", "--ngpu", "0", "--limit", "1", "--set", f"{budget} task.adversarial.discriminator_warmup=1"]
    said = egs.run(run, *options).splitlines()
    assert [line.split()[2].rstrip(":") for line in said if ": finished in" in line] == ["prepare", "dump", "ablate"]
    page = (run.parent / "ABLATION.md").read_text(encoding="utf-8")
    assert "6 steps of 2 x 0.64 s" in page and all(f"| {name} |" in page for name in ("surface", "adversarial", "vae"))
    assert (run.parent / "exp/ablation/curves.png").exists()
    assert egs.run(run, *options).count("done already") == 3


@pytest.mark.slow
def test_the_mini_comparison_runs_from_nothing_to_its_table(egs, tmp_path: Path) -> None:
    run = egs.copy(ROOT / "egs/mini/tts/compare.sh", tmp_path / "a clone")
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 20")
    run.write_text(small, encoding="utf-8")
    options = ["--nj", "1", "--ngpu", "0", "--limit", "2", "--set", "training.steps=6 training.evaluate_every=6"]
    said = egs.run(run, *options)
    assert said.count(", 0 failed") == 7
    page = (run.parent / "COMPARE.md").read_text(encoding="utf-8")
    assert "6 steps of about 20 s" in page and "n = 2" in page
    assert all(f"| {name} |" in page for name in ("flow", "one_step", "diffusion", "energy", "delay", "depth"))
    assert egs.run(run, *options).count("done already") == 3


@pytest.mark.slow
def test_a_night_in_small_that_is_killed_goes_on_to_its_page(egs, tmp_path: Path) -> None:
    run = egs.copy(ROOT / "egs/mini/overnight/run.sh", tmp_path / "a clone")
    for task in ("listener", "codec", "tts"):
        egs.copy_folder(ROOT / "egs/mini" / task, run.parent.parent / task)
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 20")
    run.write_text(small.replace("limit=6", "limit=2"), encoding="utf-8")
    options = ["--nj", "1", "--ngpu", "0", "--hours", "0.01", "--set", "training.checkpoint_minutes=0.02"]
    exp = run.parent / "exp/overnight"
    environment = egs.environment()
    with subprocess.Popen(
        [str(run), *options], env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as one:
        while not list_checkpoints(exp / "codec"):
            assert one.poll() is None
            time.sleep(0.1)
        os.killpg(one.pid, signal.SIGKILL)
    reached = int(list_checkpoints(exp / "codec")[-1].name)
    said = egs.run(run, *options)
    assert said.count("done already") == 3 and read_facts(exp / "codec")["step"] > reached
    assert read_facts(exp / "codec")["seconds"] >= 0.0035 * 3600  # in both calls together
    page = (exp / "overnight.md").read_text(encoding="utf-8")
    for words in ("# From recordings to a voice in 0.01 hours", "| prepare |", "## Listener", "## Codec", "## Voice"):
        assert words in page
    assert {"listener.png", "codec.png", "voice.png", "index.html"} <= {p.name for p in (exp / "overnight").iterdir()}
    assert egs.run(run, *options).count("done already") == 7
    wav = tmp_path / "said.wav"
    command = ["speechgen", "say", "A cat.", "--model", str(exp / "voice/packed"), "-o", str(wav)]
    subprocess.run(command, env=environment, check=True, cwd=tmp_path)  # from anywhere: it knows where its codec lies
    assert wav.stat().st_size > 100
