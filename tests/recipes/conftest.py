"""The recipes of the repository, and a toy one for tests of recipes/steps.sh."""

import os
import shutil
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


def environment() -> dict[str, str]:
    """In which recipes find the verbs of the environment that runs the tests."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


class Egs:
    """The repository's recipes, run where they are or in a copy, as a clone has them."""

    environment = staticmethod(environment)

    def run(self, script: Path, *options: str) -> str:
        """Standard output of a script that is called from the root of the repository and must succeed."""
        command = [str(script), *options]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    def refused(self, script: Path, *options: str) -> str:
        """What a script says on both streams that must not succeed."""
        command = [str(script), *options]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=900)
        assert done.returncode != 0
        return done.stdout + done.stderr

    def copy(self, script: Path, folder: Path) -> Path:
        """A recipe and the engine in another place, without what was made here; the path of its script there."""
        shutil.copytree(ROOT / "recipes", folder / "recipes")
        here = folder / script.parent.relative_to(ROOT)
        self.copy_folder(script.parent, here)
        return here / script.name

    def copy_folder(self, recipe: Path, here: Path) -> None:
        shutil.copytree(recipe, here, ignore=shutil.ignore_patterns("data", "dump", "exp", ".done", "RESULTS.md"))


@pytest.fixture
def egs() -> Egs:
    return Egs()


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

    def start(self, *options: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.folder / "run.sh"), *options],
            cwd=cwd or self.folder.parent,
            env=environment(),
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
