"""recipes/steps.sh, through a toy recipe: runs that fail, are killed, go on, or stand in each other's way."""

import signal
import time
from pathlib import Path

import pytest


def test_a_failing_command_stops_the_run_with_its_status_and_leaves_no_mark(recipe) -> None:
    recipe.write("fails", "note")
    errors = recipe.run(status=7)
    assert errors.startswith("run.sh: error: failed with status 7: ./verb note")
    assert recipe.calls() == ["prepare", "train", "note"]
    (recipe.folder / "fails").unlink()
    assert "stage 2 train: not done yet" in recipe.run()
    assert recipe.calls() == ["train", "note", "score"]


def test_a_stage_that_makes_nothing_is_not_done(recipe) -> None:
    recipe.write("run.sh", recipe.read("run.sh").replace('"$exp/model" -- ', '"$exp/model" "$exp/absent" -- '))
    assert recipe.run(status=2).endswith("stage 2 train has ended without making exp/toy/absent\n")


@pytest.mark.parametrize("verb", ["prepare", "train", "score"])
def test_killed_in_any_stage_and_run_again_gives_the_same(recipe, tmp_path: Path, verb: str) -> None:
    whole = type(recipe)(tmp_path / "whole")
    whole.run()
    process = recipe.start_slowly(verb)
    process.kill()
    process.communicate()
    recipe.calls()
    recipe.run()
    assert recipe.calls()[0] == verb
    assert recipe.artefacts() == whole.artefacts()


def test_a_killed_rerun_is_not_vouched_for_by_the_mark_before(recipe) -> None:
    recipe.run()
    expected = recipe.artefacts()
    process = recipe.start_slowly("train", "--copies", "4")
    process.kill()
    process.communicate()
    recipe.run()
    assert recipe.artefacts() == expected


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_run_takes_its_command_with_it(recipe, number: signal.Signals) -> None:
    process = recipe.start_slowly("train")
    children = _children(process.pid)
    assert children
    process.send_signal(number)
    process.communicate(timeout=200)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    deadline = time.monotonic() + 100
    while any(_alive(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_run_in_the_same_folder_is_refused(recipe) -> None:
    process = recipe.start_slowly("train")
    try:
        errors = recipe.run(status=2)
        assert errors == f"run.sh: error: exp/toy: another run (process {process.pid}) works here; wait for it\n"
        recipe.run("--tag", "other")  # an experiment of its own may go on
        assert "after stage" not in recipe.run("--list", "--stop_stage", "1")
    finally:
        process.kill()
        process.communicate()
    recipe.run()


def test_stages_that_make_the_same_data_do_not_run_at_once(recipe) -> None:
    process = recipe.start_slowly("prepare")
    try:
        errors = recipe.run("--tag", "other", status=2)
        assert errors.startswith("run.sh: error: data: another run")
    finally:
        process.kill()
        process.communicate()


def test_a_place_that_cannot_be_written_is_named(recipe) -> None:
    errors = recipe.run("--expdir", str(recipe.folder / "letters.txt"), status=2)
    assert errors == f"run.sh: error: {recipe.folder}/letters.txt/.done: Not a directory\n"


def _children(pid: int) -> list[int]:
    task = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in task.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
