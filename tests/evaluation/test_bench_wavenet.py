"""The bench of WaveNet: every way has its rows, low precision is judged, targets follow from the rows."""

import json
import math
import os

import pytest
import torch
from typer.testing import CliRunner

from speechgen.audio.files import write_audio
from speechgen.cli import bench as verbs
from speechgen.config import make_config
from speechgen.evaluation.bench_wavenet import bench_wavenet, one_core, random_wavenet
from speechgen.kernels.build import available
from speechgen.models.load import save_model
from speechgen.models.wavenet import WaveNet, WaveNetConfig
from speechgen.models.wavenet_engines import METHODS


def tiny(**values) -> WaveNet:
    sizes = {"layers": 4, "cycle": 2, "residual": 16, "skip": 16, "hidden": 16, "condition": 8}
    return random_wavenet(make_config(WaveNetConfig, sizes | values))


def test_every_way_is_timed_and_compared() -> None:
    steps = []
    report = bench_wavenet(tiny(), seconds=0.02, repeats=1, first_use=False, on_row=lambda: steps.append(1))
    found = {(row["name"], row["streams"]): row for row in report["rows"]}
    methods = METHODS if available() else METHODS[:3]
    assert set(found) == {(method, n) for method in methods for n in (1, 4)} - {("naive", 4)}
    assert len(steps) == len(found)
    for (method, _), row in found.items():
        assert row["x_real_time"] == row["samples_per_second"] / 16000 > 0
        assert row["max_logit_diff"] < (1 if method in METHODS[-2:] else 1e-4)
    compiled = found["compiled-f32-numba", 1]
    assert compiled["weight_bytes"] >= 4 * report["multiply_adds"]
    assert 0 < compiled["bits_per_sample"] < 8
    assert report["fastest"] in methods
    names = [target["what"] for target in report["targets"]]
    assert "times naive, one stream" in names
    assert all(
        target["met"] == (target["measured"] <= target["at_most"])
        for target in report["targets"]
        if "at_most" in target
    )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin processes")
def test_it_stays_on_one_core() -> None:
    before = os.sched_getaffinity(0)
    with one_core() as core:
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before


def test_the_verb_judges_a_model_on_a_recording(tmp_path) -> None:
    model = tiny(labels={"pitch": ["a1", "a2"]}, mel={"bands": 6, "hop": 50, "window": 200})
    save_model(tmp_path / "model", model.config, model, "# card\n")
    time = torch.arange(4000) / 16000
    write_audio(tmp_path / "a.wav", 0.3 * torch.sin(2 * math.pi * 220 * time), 16000)
    command = [
        "wavenet",
        "--model",
        str(tmp_path / "model"),
        "--audio",
        str(tmp_path / "a.wav"),
        "--labels",
        "pitch=a2",
    ]
    options = ["--seconds", "0.02", "--repeats", "1", "--no_first_use", "--json", str(tmp_path / "bench.json")]
    result = CliRunner().invoke(verbs.app, command + options)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "bench.json").read_text())
    assert report["bits_on"] == "the recording"
    bits = [row["bits_per_sample"] for row in report["rows"] if "bits_per_sample" in row]
    assert max(bits) < 1.01 * min(bits)
    assert "first sound" not in result.output
