"""What docs/training.md names exists: keys, options, files."""

import re
from pathlib import Path

import typer.main

from speechgen.cli import app
from speechgen.training.experiment import CodecExperiment, TTSExperiment
from speechgen.training.pace import TrainConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_every_key_of_the_training_section_is_explained():
    rows = PAGE.split("| key | meaning |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])} == set(TrainConfig.model_fields)


def test_options_and_files_are_there():
    parameters = typer.main.get_command(app).commands["train"].params
    options = {name for parameter in parameters for name in [*parameter.opts, *parameter.secondary_opts]}
    assert {"--exp", "--until", "--set", "--no-resume"} <= options
    for path in re.findall(r"`((?:speechgen|tests)/[\w/]+\.py)`", PAGE):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`((?:training|nn)/[\w/]+\.py)`", PAGE):
        assert (ROOT / "speechgen" / path).exists(), path


def test_other_keys_on_the_page_exist():
    for path, kind in (
        ("task.adversarial.start_step", CodecExperiment),
        ("model.bottleneck.revive_every", CodecExperiment),
        ("initial", CodecExperiment),
        ("task.batch_seconds", TTSExperiment),
        ("task.longest_seconds", TTSExperiment),
    ):
        assert path in PAGE
        data = {"train": "a", "dev": "b"}
        value = kind.model_validate({"kind": kind.__name__[:-10].lower(), "data": data, "training": {"steps": 1}})
        for key in path.split("."):
            assert hasattr(value, key), path
            value = getattr(value, key)
