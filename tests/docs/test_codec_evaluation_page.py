"""What docs/codec-evaluation.md says is so: its example runs, and the metrics, options and systems exist."""

import re
from pathlib import Path

import torch
import typer.main

from speechgen.audio.files import write_audio
from speechgen.cli import app
from speechgen.evaluation.baselines import BASELINES, PRETRAINED
from speechgen.evaluation.metrics import REPORTED

PAGE = (Path(__file__).parents[2] / "docs" / "codec-evaluation.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").mkdir()
    time = torch.arange(8000) / 8000
    for number in range(2):
        tone = 0.3 * torch.sin(2 * torch.pi * (200 + 100 * number) * time) * torch.sin(12 * time) ** 2
        write_audio(tmp_path / "recordings" / f"{number}.wav", tone, 8000)
    [example] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(example, "codec-evaluation.md", "exec"), {"__name__": "example"})
    assert {"report.html", "report.json", "report.csv"} <= {path.name for path in (tmp_path / "report").iterdir()}


def test_metrics_and_systems_are_all_named():
    named = set(re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE, flags=re.MULTILINE))
    assert {name for row in named for name in re.findall(r"`(\w+)`", row)} >= set(REPORTED)
    for name in (*BASELINES, *PRETRAINED):
        assert f"`{name}" in PAGE


def test_options_exist():
    commands = typer.main.get_command(app).commands["codec"].commands
    options = {name for verb in ("eval", "generate", "score") for p in commands[verb].params for name in p.opts}
    assert set(re.findall(r"--\w+", PAGE)) - {"--json"} <= options
