"""What docs/speaking.md says of limits, pauses, the list and commands is so."""

import re
from pathlib import Path

import typer.main

from speechgen.cli import app
from speechgen.evaluation.hard_list import read_hard_list
from speechgen.serving.guard import RETRIES, Limits
from speechgen.serving.synthesiser import CHUNK_CHARACTERS
from speechgen.text.normalise import normalise
from speechgen.text.pauses import RESTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "speaking.md").read_text(encoding="utf-8")


def test_limits_and_pauses_are_those_of_the_code():
    limits = Limits()
    rows = dict(re.findall(r"^\| ([\w ,]+).*? \| .* \| (.*) \|$", PAGE.split("### Why")[0], re.MULTILINE))
    assert rows["too short, too long"] == f"below {limits.shortest:g}, above {limits.longest:g}"
    assert rows["a gap"] == f"above {limits.gap:g} s"
    assert rows["missing "] == f"below {limits.word:g}; above {-limits.without:g} nats"
    assert rows["unclear at 1"] == f"below {limits.stretch:g}"
    assert f"below {limits.repeat:g} nats" in PAGE and f"below {limits.whole:g}" in PAGE
    assert f"at most `--retries` times ({RETRIES})" in PAGE and f"at most {CHUNK_CHARACTERS} characters" in PAGE
    pauses = (
        f"comma lasts at least {RESTS[',']:g} s, at a dash {RESTS['-']:g} s, at a semicolon or colon {RESTS[';']:g} s"
    )
    assert pauses in PAGE and f"at the end of a sentence {RESTS['.']:g} s" in PAGE


def test_the_list_is_described_as_it_is():
    lines = read_hard_list()
    english = sum(line.language == "en" for line in lines)
    assert f"{len(lines)} lines of our own" in PAGE and f"{english} in English and {300 - english} in German" in PAGE
    for kind, words in {"digits": "with digits", "repeats": "that repeat", "tongue twister": "tongue twisters"}.items():
        assert f"{sum(line.kind == kind for line in lines)} {words}" in PAGE
    sizes = [len(line.text) for line in lines if line.kind == "long"]
    assert f"{len(sizes)} of {min(sizes)} to {max(sizes):,} characters" in PAGE


def test_what_the_table_shows_is_what_is_said():
    for written, said in {
        "$12.50": "twelve dollars fifty", "Henry VIII": "Henry the Eighth", "pp. 12-15": "pages twelve to fifteen",
    }.items():  # fmt: skip
        assert f"`{written}`" in PAGE and said in PAGE and normalise(written, "en") == said


def test_commands_and_options_exist():
    verbs = typer.main.get_command(app).commands
    assert "hard-list" in verbs["tts"].commands
    options = {name for one in verbs["say"].params for name in [*one.opts, *one.secondary_opts]}
    assert {"--guard", "--no-guard", "--retries", "--file", "--speed"} <= options
