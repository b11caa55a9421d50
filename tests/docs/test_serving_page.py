"""What docs/serving.md shows is understood: verbs and their options, and the request."""

import json
import re
from pathlib import Path

import typer.main

from speechgen.cli import app
from speechgen.serving.server.requests import SpeechRequest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


def test_verbs_and_options_are_there() -> None:
    lines = re.findall(r"^speechgen .*$", PAGE, re.MULTILINE)
    assert len(lines) >= 9
    for line in lines:
        words = line.partition(" #")[0].partition(" |")[0].split()
        command = typer.main.get_command(app).commands[words[1]]
        command = command.commands[words[2]] if hasattr(command, "commands") else command
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known, line


def test_the_request_is_one() -> None:
    body = re.search(r"-d '(\{.*\})'", PAGE).group(1)
    assert SpeechRequest.model_validate(json.loads(body)).voice_name == "kathleen"


def test_files_named_are_there() -> None:
    for path in re.findall(r"`((?:speechgen|tests)/[\w/]+\.py)`", PAGE):
        assert (ROOT / path).exists(), path
