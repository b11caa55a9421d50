"""What docs/wavenet.md names exists: verbs, options, files."""

import re
from pathlib import Path

import typer.main

from speechgen.cli import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "wavenet.md").read_text(encoding="utf-8")


def test_verbs_options_and_files_are_there():
    lines = re.findall(r"^    speechgen (wavenet [\w-]+ .*)$", PAGE, re.MULTILINE)
    assert {line.split()[1] for line in lines} == {"generate", "generate-set", "score", "pictures"}
    for line in lines:
        command = typer.main.get_command(app).commands["wavenet"].commands[line.split()[1]]
        known = {name for parameter in command.params for name in parameter.opts}
        assert set(re.findall(r"(?<= )-{1,2}[a-z][\w-]*", line.partition(" #")[0])) <= known, line
    for path in re.findall(r"`((?:models|training)/\w+\.py)`", PAGE):
        assert (ROOT / "speechgen" / path).exists(), path
    for path in re.findall(r"^    (egs/\S+)", PAGE, re.MULTILINE):
        assert (ROOT / path).exists(), path
