"""recipes/steps.sh, through toy recipes: options, done-marks, killing and resuming, locks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

RUN = """#!/usr/bin/env bash
# Letters to a shouted score: a toy.
cd "$(dirname "$0")" || exit
corpus=letters.txt
. "{root}/recipes/steps.sh"
option corpus "" "file of letters" path
option copies 2 "how often a letter is said" number
option mark '!' "what ends a line"
parse_options "$@"
exp=$expdir/toy${{tag:+_$tag}}
step 1 prepare "corpus -> data/" from "$corpus" to data -- ./verb prepare "$corpus" data
step 2 train "data/ -> exp/" from data conf.yaml to "$exp/model" -- ./verb train data/text "$exp/model" "$copies"
also -- ./verb note "$nj" --nj "$nj"
step 3 score "exp/ -> RESULTS" from "$exp/model" to "$exp/scores" RESULTS.md -- ./verb score "$exp/model" "$mark"
run_steps "$exp"
"""

# A verb waits where the file "slow" names it, half way through its work.
VERB = """#!/usr/bin/env bash
verb=$1
shift
echo "$verb" >> calls
pause() {
  if [[ -f slow && $(cat slow) == "$verb" ]]; then touch started; read -rt 500 <> <(:) || :; fi
}
case $verb in
  prepare) mkdir -p "$2"; : > "$2/text"; pause; cat "$1" > "$2/text" ;;
  train)
    mkdir -p "$(dirname "$2")"; echo half > "$2"; pause
    { cat conf.yaml; for i in $(seq "$3"); do cat "$1"; done; } > "$2" ;;
  note) : ;;
  score) mkdir -p "$(dirname "$1")/scores"; pause; sed "s/$/$2/" "$1" > RESULTS.md ;;
esac
[[ ! -f fails || $(cat fails) != "$verb" ]] || exit 7
"""


class Recipe:
    """A toy recipe in a folder of its own, run as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.write("letters.txt", "a\nb\n")
        self.write("conf.yaml", "seed: 5\n")
        for name, text in (("run.sh", RUN.format(root=ROOT)), ("verb", VERB)):
            self.write(name, text)
            (folder / name).chmod(0o755)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def calls(self) -> list[str]:
        """The verbs called since the last time this was asked."""
        calls = self.folder / "calls"
        names = calls.read_text().split() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return names

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def start(self, *options: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.folder / "run.sh"), *options],
            cwd=cwd or self.folder.parent,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str, status: int = 0, cwd: Path | None = None) -> str:
        """Standard output of a run that must end with the given status; of a failed one, standard error."""
        process = self.start(*options, cwd=cwd)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == status, (output, errors)
        return errors if status else output

    def start_slowly(self, verb: str, *options: str) -> subprocess.Popen[str]:
        """A run that has come half way through a verb and waits there."""
        self.write("slow", verb)
        (self.folder / "started").unlink(missing_ok=True)
        process = self.start(*options)
        deadline = time.monotonic() + 200
        while not (self.folder / "started").exists():
            assert time.monotonic() < deadline and process.poll() is None, process.communicate()
            time.sleep(0.02)
        (self.folder / "slow").unlink()
        return process

    def artefacts(self) -> dict[str, str]:
        """Everything the stages have made, without the marks."""
        return {
            str(path.relative_to(self.folder)): path.read_text()
            for place in ("data", "exp", "RESULTS.md")
            for path in sorted([self.folder / place, *(self.folder / place).rglob("*")])
            if path.is_file() and ".done" not in path.parts
        }


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return Recipe(tmp_path / "my récipe $HOME")


def test_runs_every_stage_in_order_and_prints_each_command_before(recipe: Recipe) -> None:
    output = recipe.run("--nj", "3")
    assert recipe.calls() == ["prepare", "train", "note", "score"]
    assert recipe.read("RESULTS.md") == "seed: 5!\na!\nb!\na!\nb!\n"
    lines = output.splitlines()
    assert lines[:2] == ["stage 1 prepare: not done yet", "./verb prepare letters.txt data"]
    assert lines.index("./verb note 3 --nj 3") == lines.index("./verb train data/text exp/toy/model 2") + 1


def test_done_stages_are_skipped(recipe: Recipe) -> None:
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
def test_stages_are_chosen_by_number_or_name(recipe: Recipe, options: list[str], expected: list[str]) -> None:
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
def test_mistakes_exit_with_2_and_one_line(recipe: Recipe, options: list[str], message: str) -> None:
    errors = recipe.run(*options, status=2)
    assert errors.startswith("run.sh: error: ")
    assert errors.endswith(message + "\n")
    assert errors.count("\n") == 1
    assert recipe.calls() == []


def test_what_changed_runs_again_and_says_why(recipe: Recipe) -> None:
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


def test_neither_a_touched_file_nor_more_processes_make_a_stage_stale(recipe: Recipe) -> None:
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


def test_a_tag_makes_an_experiment_beside_the_others_on_the_same_data(recipe: Recipe) -> None:
    recipe.run()
    recipe.calls()
    recipe.run("--tag", "loud", "--copies", "5")
    assert recipe.calls() == ["train", "note", "score"]
    assert (recipe.folder / "exp/toy/model").exists() and (recipe.folder / "exp/toy_loud/model").exists()


def test_paths_are_taken_from_where_the_user_stands(recipe: Recipe, tmp_path: Path) -> None:
    place = tmp_path / "else where"
    place.mkdir()
    (place / "own.txt").write_text("z\n")
    recipe.run("--corpus", "own.txt", "--expdir", "my exp", cwd=place)
    assert recipe.read("RESULTS.md") == "seed: 5!\nz!\nz!\n"
    assert (place / "my exp/toy/model").exists()
    (recipe.folder / "other.txt").write_text("y\n")  # not where the user stands, but with the recipe
    recipe.run("--corpus", "other.txt", cwd=place)
    assert recipe.read("RESULTS.md") == "seed: 5!\ny!\ny!\n"


def test_dry_run_prints_commands_that_give_the_same_when_called_alone(recipe: Recipe, tmp_path: Path) -> None:
    script = recipe.run("--dry_run")
    assert "# stage 2 train: after stage 1 prepare" in script
    assert recipe.calls() == [] and not (recipe.folder / "exp").exists() and not list(recipe.folder.glob(".done"))
    subprocess.run(["bash", "-e", "-c", script], cwd=recipe.folder, check=True)
    by_hand = recipe.artefacts()
    recipe.run()
    assert recipe.artefacts() == by_hand
    assert "./verb" not in recipe.run("--dry_run")


def test_list_shows_each_stage_and_whether_it_is_done(recipe: Recipe) -> None:
    recipe.run("--stop_stage", "train")
    recipe.write("conf.yaml", "seed: 9\n")
    recipe.calls()
    lines = recipe.run("--list").splitlines()
    assert lines[0].startswith("  1 prepare") and "done already" in lines[0]
    assert lines[1].endswith("data/ -> exp/: conf.yaml changed")
    assert lines[2].endswith("exp/ -> RESULTS: after stage 2 train")
    assert recipe.calls() == []


def test_help_is_made_of_the_recipe_itself_and_needs_nothing_installed(recipe: Recipe) -> None:
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


def test_values_are_never_run_as_shell(recipe: Recipe) -> None:
    recipe.run("--tag", "$(touch one)", "--mark", "'; touch two; `touch three`", "--copies", "1")
    assert not [name for name in ("one", "two", "three") if (recipe.folder / name).exists()]
    assert recipe.read("RESULTS.md").startswith("seed: 5'; touch two; `touch three`\n")
    for script in [*(ROOT / "recipes").glob("*.sh"), *(ROOT / "egs").rglob("*.sh")]:
        commands = [line.split("#")[0].split() for line in script.read_text(encoding="utf-8").splitlines()]
        assert not [words for words in commands if words[:1] == ["eval"]], script


def test_a_done_mark_tells_what_ran_on_what_and_for_how_long(recipe: Recipe) -> None:
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


def test_a_failing_command_stops_the_run_with_its_status_and_leaves_no_mark(recipe: Recipe) -> None:
    recipe.write("fails", "note")
    errors = recipe.run(status=7)
    assert errors.startswith("run.sh: error: failed with status 7: ./verb note")
    assert recipe.calls() == ["prepare", "train", "note"]
    (recipe.folder / "fails").unlink()
    assert "stage 2 train: not done yet" in recipe.run()
    assert recipe.calls() == ["train", "note", "score"]


def test_a_stage_that_makes_nothing_is_not_done(recipe: Recipe) -> None:
    recipe.write("run.sh", recipe.read("run.sh").replace('"$exp/model" -- ', '"$exp/model" "$exp/absent" -- '))
    assert recipe.run(status=2).endswith("stage 2 train has ended without making exp/toy/absent\n")


@pytest.mark.parametrize("verb", ["prepare", "train", "score"])
def test_killed_in_any_stage_and_run_again_gives_the_same(recipe: Recipe, tmp_path: Path, verb: str) -> None:
    whole = Recipe(tmp_path / "whole")
    whole.run()
    process = recipe.start_slowly(verb)
    process.kill()
    process.communicate()
    recipe.calls()
    recipe.run()
    assert recipe.calls()[0] == verb
    assert recipe.artefacts() == whole.artefacts()


def test_a_killed_rerun_is_not_vouched_for_by_the_mark_before(recipe: Recipe) -> None:
    recipe.run()
    expected = recipe.artefacts()
    process = recipe.start_slowly("train", "--copies", "4")
    process.kill()
    process.communicate()
    recipe.run()
    assert recipe.artefacts() == expected


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_run_takes_its_command_with_it(recipe: Recipe, number: signal.Signals) -> None:
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


def test_a_second_run_in_the_same_folder_is_refused(recipe: Recipe) -> None:
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


def test_stages_that_make_the_same_data_do_not_run_at_once(recipe: Recipe) -> None:
    process = recipe.start_slowly("prepare")
    try:
        errors = recipe.run("--tag", "other", status=2)
        assert errors.startswith("run.sh: error: data: another run")
    finally:
        process.kill()
        process.communicate()


def test_a_place_that_cannot_be_written_is_named(recipe: Recipe) -> None:
    errors = recipe.run("--expdir", str(recipe.folder / "letters.txt"), status=2)
    assert errors == f"run.sh: error: {recipe.folder}/letters.txt/.done: Not a directory\n"


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
def test_a_crooked_step_line_is_named(recipe: Recipe, line: str, message: str) -> None:
    recipe.write("run.sh", recipe.read("run.sh").replace("run_steps", f"{line}\nrun_steps"))
    assert message in recipe.run(status=2)
    assert recipe.calls() == []


def test_the_engine_starts_without_torch() -> None:
    program = "import speechgen.stages.__main__, sys; sys.exit('torch' in sys.modules or 'typer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def _children(pid: int) -> list[int]:
    task = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in task.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
