"""Training steps of a codec, timed by the losses that take part."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from speechgen.cli import app

STACK = {"kind": "spectral", "width": 12, "blocks": 1, "window": 80}
CONFIG = {
    "kind": "codec",
    "initial": "nowhere",  # weights are not read
    "model": {
        "sample_rate": 4000,
        "hop": 40,
        "width": 6,
        "encoder": STACK,
        "decoder": STACK,
        "bottleneck": {"kind": "rvq", "codebooks": 2, "codebook_size": 8, "code_width": 4},
    },
    "task": {
        "batch": 4,
        "seconds": 0.1,
        "surface": {"stft_windows": [64], "mel_windows": [64], "mel_bands": [8]},
        "perceptual": {"weight": 0},
        "adversarial": {
            "adversarial": 1.0,
            "start_step": 500,
            "discriminators": {"periods": [2], "windows": [64], "channels": 2, "spectrogram_channels": 2},
        },
    },
    "data": {"train": "dump/train", "dev": "dump/dev"},  # nor is data
    "training": {"steps": 1000},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "codec.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def test_steps_are_timed_with_and_without_discriminators(config, tmp_path):
    out = tmp_path / "training.json"
    told = CliRunner().invoke(
        app, ["bench", "training", str(config), "--json", str(out), "--steps", "2", "--threads", "1"]
    )
    assert told.exit_code == 0, told.output
    report = json.loads(out.read_text())
    assert [row["losses"] for row in report["rows"]] == ["surface", "all"]
    assert all(row["x_real_time"] == pytest.approx(0.4 / row["seconds_per_step"]) for row in report["rows"])
    assert [one["measured"] for one in report["targets"]] == [report["rows"][1]["x_real_time"]]


def test_only_codecs_are_timed(tmp_path):
    path = tmp_path / "listener.yaml"
    path.write_text("kind: listener\ndata: {train: a, dev: b}\ntraining: {steps: 1}\n")
    told = CliRunner().invoke(app, ["bench", "training", str(path)])
    assert told.exit_code != 0 and "only the training of a codec" in str(told.exception)
