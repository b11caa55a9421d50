"""recipes/steps.sh, through a toy recipe: options, stages, done-marks, mistakes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_runs_every_stage_in_order_and_prints_each_command_before(recipe) -> None:
    output = recipe.run("--nj", "3")
    assert recipe.calls() == ["prepare", "train", "note", "score"]
    assert recipe.read("RESULTS.md") == "seed: 5!\na!\nb!\na!\nb!\n"
    lines = output.splitlines()
    assert lines[:2] == ["stage 1 prepare: not done yet", "./verb prepare letters.txt data"]
    assert lines.index("./verb note 3 --nj 3") == lines.index("./verb train data/text exp/toy/model 2") + 1


def test_done_stages_are_skipped(recipe) -> None:
    recipe.run()
    recipe.calls()
    assert recipe.run().count("done already") == 3
    assert recipe.calls() == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--stage", "2"], ["train", "note", "score"]),
        (["--stage", "score"], ["score"]),
        (["--stop_stage", "prepare"], ["prepare"]),
        (["--stop-stage=2"], ["prepare", "train", "note"]),
        (["--stage", "train", "--stop_stage", "train"], ["train", "note"]),
    ],
)
def test_stages_are_chosen_by_number_or_name(recipe, options: list[str], expected: list[str]) -> None:
    recipe.run()
    recipe.calls()
    recipe.run(*options, "--force")
    assert recipe.calls() == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stage", "trian"], "--stage trian: no such stage; did you mean 'train'?"),
        (["--stage", "9"], "--stage 9: the stages are 1 to 3"),
        (["--stage", "score", "--stop_stage", "1"], "--stop_stage 1 comes before --stage score: nothing to run"),
        (["--stage", "score"], "stage 3 score needs exp/toy/model: run stage 2 train first"),
        (["--corpus", "nowhere.txt"], "/nowhere.txt: there is no such file or folder"),
        (["--copeis", "3"], "unknown option --copeis; did you mean 'copies'?"),
        (["--copies", "many"], "--copies many: expected a whole number"),
        (["--copies"], "--copies needs a value"),
        (["--tag", "--force"], "--tag needs a value"),
        (["--force=1"], "--force takes no value"),
        (["train"], "unexpected 'train': options begin with --"),
    ],
)
def test_mistakes_exit_with_2_and_one_line(recipe, options: list[str], message: str) -> None:
    errors = recipe.run(*options, status=2)
    assert errors.startswith("run.sh: error: ")
    assert errors.endswith(message + "\n")
    assert errors.count("\n") == 1
    assert recipe.calls() == []


def test_what_changed_runs_again_and_says_why(recipe) -> None:
    recipe.run()
    recipe.calls()

    recipe.write("conf.yaml", "seed: 6\n")
    assert "stage 2 train: conf.yaml changed\n" in recipe.run()
    assert recipe.calls() == ["train", "note", "score"]

    output = recipe.run("--copies", "3")
    assert "stage 2 train: its command changed: 2 is now 3\n" in output
    assert "stage 3 score: exp/toy/model changed\n" in output
    assert recipe.calls() == ["train", "note", "score"]

    output = recipe.run("--copies", "3", "--mark", "?")
    assert "its command changed: ! is now ?" in output
    assert recipe.calls() == ["score"]

    recipe.write("data/extra", "c\n")
    assert "stage 2 train: data: extra is new\n" in recipe.run("--copies", "3", "--mark", "?")
    assert recipe.calls() == ["train", "note"]  # the model came out the same, so its score stands

    (recipe.folder / "RESULTS.md").unlink()
    assert "stage 3 score: RESULTS.md is gone\n" in recipe.run("--copies", "3", "--mark", "?")
    assert recipe.calls() == ["score"]


def test_neither_a_touched_file_nor_more_processes_make_a_stage_stale(recipe) -> None:
    recipe.run("--nj", "1")
    recipe.calls()
    os.utime(recipe.folder / "conf.yaml", (1, 1))
    os.utime(recipe.folder / "data/text", (1, 1))
    text = recipe.read("run.sh").replace('note "$nj"', "note")
    recipe.write("run.sh", text)
    recipe.run("--nj", "1")
    recipe.calls()
    recipe.run("--nj", "2")
    assert recipe.calls() == []


def test_a_tag_makes_an_experiment_beside_the_others_on_the_same_data(recipe) -> None:
    recipe.run()
    recipe.calls()
    recipe.run("--tag", "loud", "--copies", "5")
    assert recipe.calls() == ["train", "note", "score"]
    assert (recipe.folder / "exp/toy/model").exists() and (recipe.folder / "exp/toy_loud/model").exists()


def test_paths_are_taken_from_where_the_user_stands(recipe, tmp_path: Path) -> None:
    place = tmp_path / "else where"
    place.mkdir()
    (place / "own.txt").write_text("z\n")
    recipe.run("--corpus", "own.txt", "--expdir", "my exp", cwd=place)
    assert recipe.read("RESULTS.md") == "seed: 5!\nz!\nz!\n"
    assert (place / "my exp/toy/model").exists()
    (recipe.folder / "other.txt").write_text("y\n")  # not where the user stands, but with the recipe
    recipe.run("--corpus", "other.txt", cwd=place)
    assert recipe.read("RESULTS.md") == "seed: 5!\ny!\ny!\n"


def test_dry_run_prints_commands_that_give_the_same_when_called_alone(recipe, tmp_path: Path) -> None:
    script = recipe.run("--dry_run")
    assert "# stage 2 train: after stage 1 prepare" in script
    assert recipe.calls() == [] and not (recipe.folder / "exp").exists() and not list(recipe.folder.glob(".done"))
    subprocess.run(["bash", "-e", "-c", script], cwd=recipe.folder, check=True)
    by_hand = recipe.artefacts()
    recipe.run()
    assert recipe.artefacts() == by_hand
    assert "./verb" not in recipe.run("--dry_run")


def test_list_shows_each_stage_and_whether_it_is_done(recipe) -> None:
    recipe.run("--stop_stage", "train")
    recipe.write("conf.yaml", "seed: 9\n")
    recipe.calls()
    lines = recipe.run("--list").splitlines()
    assert lines[0].startswith("  1 prepare") and "done already" in lines[0]
    assert lines[1].endswith("data/ -> exp/: conf.yaml changed")
    assert lines[2].endswith("exp/ -> RESULTS: after stage 2 train")
    assert recipe.calls() == []


def test_help_is_made_of_the_recipe_itself_and_needs_nothing_installed(recipe) -> None:
    environment = {"PATH": "/usr/bin:/bin", "VIRTUAL_ENV": "none"}
    command = [str(recipe.folder / "run.sh"), "--help"]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert "Letters to a shouted score: a toy." in output
    for stage in ("1 prepare      corpus -> data/", "2 train        data/ -> exp/", "3 score"):
        assert stage in output
    assert "--corpus         file of letters (letters.txt)" in output
    assert "--copies         how often a letter is said (2)" in output
    for common in ("stage", "stop_stage", "ngpu", "nj", "expdir", "tag", "dry_run", "force", "list", "help"):
        assert f"--{common} " in output

    without = subprocess.run(command[:1], env=environment, capture_output=True, text=True)
    assert without.returncode == 2
    assert without.stderr.startswith("run.sh: error: speechgen is not installed")


def test_values_are_never_run_as_shell(recipe) -> None:
    recipe.run("--tag", "$(touch one)", "--mark", "'; touch two; `touch three`", "--copies", "1")
    assert not [name for name in ("one", "two", "three") if (recipe.folder / name).exists()]
    assert recipe.read("RESULTS.md").startswith("seed: 5'; touch two; `touch three`\n")
    for script in [*(ROOT / "recipes").glob("*.sh"), *(ROOT / "egs").rglob("*.sh")]:
        commands = [line.split("#")[0].split() for line in script.read_text(encoding="utf-8").splitlines()]
        assert not [words for words in commands if words[:1] == ["eval"]], script


def test_a_done_mark_tells_what_ran_on_what_and_for_how_long(recipe) -> None:
    recipe.run()
    mark = json.loads(recipe.read("exp/toy/.done/model.json"))
    assert mark["stage"] == "train"
    assert mark["commands"][0] == ["./verb", "train", "data/text", "exp/toy/model", "2"]
    assert set(mark["inputs"]) == {"data", "conf.yaml"} and set(mark["inputs"]["data"]) == {"text"}
    assert mark["seed"] == 5
    assert {"python", "speechgen", "torch"} <= set(mark["versions"])
    assert 0 <= mark["seconds"] < 60
    made = {path.name for path in (recipe.folder / "exp/toy/.done").iterdir()}
    assert made == {"model.json", "model.lock", "scores.json", "scores.lock"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("step 2 again 'x' to y -- true", "comes after stage 2 train; numbers must rise and names differ"),
        ("step 4 again 'x' to data -- true", "data is made by stage 1 prepare already"),
        ("step 4 again 'x' to y", "expected '-- COMMAND' at its end"),
        ("step 4 again 'x' -- true", "what it makes is missing (to PATH...)"),
        ("step 4 again 'x' data to y -- true", "expected 'from' or 'to' before 'data'"),
    ],
)
def test_a_crooked_step_line_is_named(recipe, line: str, message: str) -> None:
    recipe.write("run.sh", recipe.read("run.sh").replace("run_steps", f"{line}\nrun_steps"))
    assert message in recipe.run(status=2)
    assert recipe.calls() == []


def test_the_engine_starts_without_torch() -> None:
    program = "import speechgen.stages.__main__, sys; sys.exit('torch' in sys.modules or 'typer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
