"""The recipes in egs: their stages, the commands they call, their configs."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from speechgen.cli import app
from speechgen.training.experiment import read_experiment

ROOT = Path(__file__).resolve().parents[2]
RUNS = sorted((ROOT / "egs").glob("*/*/run.sh"))
NAMES = [str(run.parent.relative_to(ROOT / "egs")) for run in RUNS]
STAGES = ["prepare", "dump", "train", "generate", "score", "pack", "demo"]


def run_recipe(run: Path, *options: str) -> str:
    """Standard output of a run.sh called from elsewhere."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run([str(run), *options], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def planned_commands(run: Path, folder: Path) -> list[list[str]]:
    """What a run on fresh ground would call, from the dry run of a copy without data and experiments."""
    copied = copy_recipe(run, folder)
    (folder / "corpus").mkdir()
    corpus = ["--corpus", str(folder / "corpus")] if "import" in run.read_text(encoding="utf-8") else []
    lines = run_recipe(copied, "--dry_run", *corpus).splitlines()
    return [shlex.split(line) for line in lines if not line.startswith("#")]


def copy_recipe(run: Path, folder: Path) -> Path:
    """A recipe and the engine in another place, as a clone has them."""
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    here = folder / run.parent.relative_to(ROOT)
    shutil.copytree(run.parent, here, ignore=shutil.ignore_patterns("data", "dump", "exp", ".done", "RESULTS.md"))
    return here / "run.sh"


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_every_recipe_has_the_seven_stages_and_says_what_it_is(run: Path) -> None:
    lines = run_recipe(run, "--help").splitlines()
    assert lines[1].endswith(".") and lines[1] in run.read_text(encoding="utf-8")
    assert [line.split()[1] for line in lines if line[:3].strip().isdigit()] == STAGES
    assert len(run.read_text(encoding="utf-8").splitlines()) <= 15


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_every_command_is_a_verb_with_these_options(run: Path, tmp_path: Path) -> None:
    commands = planned_commands(run, tmp_path)
    assert len(commands) >= len(STAGES)
    for command in commands:
        assert command[0] == "speechgen"
        verb, words = typer.main.get_command(app), command[1:]
        while hasattr(verb, "commands"):
            assert words[0] in verb.commands, shlex.join(command)
            verb, words = verb.commands[words[0]], words[1:]
        known = {name for parameter in verb.params for name in [*parameter.opts, *parameter.secondary_opts]}
        used = {word.split("=")[0] for word in words if word.startswith("-")}
        assert used <= known, shlex.join(command)


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_every_recipe_has_a_config_that_can_be_read_and_a_page(run: Path) -> None:
    task = run.parent.name
    for config in [run.parent / "conf" / f"{task}.yaml", *run.parent.glob("conf/*.yaml")]:
        assert read_experiment(config, []).kind == task
    page = (run.parent / "README.md").read_text(encoding="utf-8")
    assert ("https://" in page) == ("--corpus" in page)  # whoever must bring recordings is told where they are


@pytest.mark.slow
@pytest.mark.parametrize("task", ["listener", "codec", "tts", "wavenet"])
def test_mini_runs_from_nothing_to_its_demo(task: str, tmp_path: Path) -> None:
    run = copy_recipe(ROOT / "egs/mini" / task / "run.sh", tmp_path / "a clone")
    small = run.read_text(encoding="utf-8").replace("--speakers 6 --sentences 40", "--speakers 2 --sentences 10")
    run.write_text(small, encoding="utf-8")
    options = ["--nj", "1", "--ngpu", "0", "--set", "training.steps=6 training.evaluate_every=6"]
    said = run_recipe(run, *options).splitlines()
    assert [line.split()[2].rstrip(":") for line in said if ": finished in" in line] == STAGES
    results = (run.parent / "RESULTS.md").read_text(encoding="utf-8")
    assert task in results.lower()
    assert (run.parent / f"exp/{task}/packed/model.safetensors").stat().st_size > 1000
    again = run_recipe(run, *options)
    assert again.count("done already") == len(STAGES)
