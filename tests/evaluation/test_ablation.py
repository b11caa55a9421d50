"""Ablations: variants differ by overrides only, train at equal budget, go on where they stopped, end in one table."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from typer.testing import CliRunner

from speechgen.cli import app
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.shards import write_shards
from speechgen.errors import UserError
from speechgen.evaluation.ablation import read_ablation, train_variant
from speechgen.evaluation.coding import ContinuousSystem
from speechgen.evaluation.curves import draw_curves, read_curves, write_curves
from speechgen.models.load import load
from speechgen.models.weights import list_checkpoints
from speechgen.tokenizers.codec import CodecConfig, build_codec
from speechgen.training.loop import train

RATE = 8000
STACK = {"width": 8, "blocks": 1, "window": 320}
RVQ = {"codebooks": 2, "codebook_size": 8, "code_width": 4, "start_step": 0}
BASE = {
    "kind": "codec",
    "model": {"sample_rate": RATE, "hop": 160, "width": 6, "encoder": STACK, "decoder": STACK, "bottleneck": RVQ},
    "task": {"batch": 2, "seconds": 0.4, "surface": {"stft_windows": [64, 128], "mel_windows": [64], "mel_bands": [8]}},
    "data": {"train": "dump/train", "dev": "dump/train"},
    "training": {"steps": 4, "warmup": 1, "log_every": 1, "evaluate_every": 2, "checkpoint_every": 2},
}
OPPONENTS = "{periods: [2], windows: [64], channels: 2, spectrogram_channels: 2}"
VARIANTS = {
    "surface": [],
    "adversarial": [
        "task.adversarial.adversarial=1",
        "task.adversarial.start_step=2",
        f"task.adversarial.discriminators={OPPONENTS}",
    ],
    "vae": ["model.bottleneck={kind: vae}"],
}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder to run in, with a dump of four short recordings and an ablation of a tiny codec."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audio").mkdir()
    utterances = []
    for number in range(4):
        time = np.arange(int((0.9 + 0.1 * number) * RATE)) / RATE
        wave = 0.3 * np.sin(2 * np.pi * (200 + 90 * number) * time) * np.sin(5 * time)
        soundfile.write(tmp_path / "audio" / f"a-{number}.wav", wave, RATE)
        utterances.append(Utterance(f"a-{number}", tmp_path / "audio" / f"a-{number}.wav", "Hm.", "a", "en"))
    write_shards(DataDir(utterances, tmp_path), tmp_path / "dump/train", RATE)
    (tmp_path / "codec.yaml").write_text(yaml.safe_dump(BASE))
    write_ablation(tmp_path)
    return tmp_path


def write_ablation(folder: Path, **variants: list[str]) -> Path:
    path = folder / "ablation.yaml"
    values = {"base": "codec.yaml", "set": ["training.seed=3"], "variants": variants or VARIANTS}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def run_ablation(*words: object):
    what = ["codec", "ablate", "ablation.yaml", "audio", "--out", "exp", "--metrics", "si_sdr,mel"]
    return CliRunner().invoke(app, [*what, "--kbps", "0.15,0.3", "--limit", "2", *map(str, words)])


def test_one_command_trains_scores_and_writes_one_table(place):
    done = run_ablation("--results", "ABLATION.md")
    assert done.exit_code == 0, done.output
    page = Path("ABLATION.md").read_text(encoding="utf-8")
    assert "budget: 4 steps of 2 x 0.4 s (0.00 h of sound) for each variant, the same crops" in page
    assert "seed 3" in page and "n = 2" in page
    for row in ("| surface | - |", "| adversarial | `task.adversarial.adversarial=1`", "| vae | `model.bottleneck="):
        assert row in page
    for system in ("surface-0.15k", "surface-0.3k", "adversarial-0.3k", "vae", "opus-6k", "recording"):
        assert f"| {system} |" in page
    assert "perplexity" in page and "KL" in page
    with open("exp/curves.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["step"]) for row in rows] == [(run, step) for run in VARIANTS for step in ("2", "4")]
    assert all(float(row["dev/continuous/mel"]) > 0 for row in rows)
    assert [row["dev/codes/mel"] == "" for row in rows] == [False] * 4 + [True] * 2
    assert Path("exp/curves.png").read_bytes().startswith(b"\x89PNG")
    own = Path("exp/adversarial/curves.csv").read_text().splitlines()
    assert "codec/adversarial" in own[0] and "discriminators/loss" in own[0] and len(own) == 5
    assert Path("exp/generate/report.html").exists()


def test_what_is_done_is_not_done_again(place):
    assert run_ablation("--baselines", "").exit_code == 0
    before = {path: os.stat(path).st_mtime_ns for path in Path("exp").glob("*/checkpoints/*/state.pt")}
    assert len(before) == 2 * len(VARIANTS)
    assert run_ablation("--baselines", "").exit_code == 0
    assert before == {path: os.stat(path).st_mtime_ns for path in Path("exp").glob("*/checkpoints/*/state.pt")}
    changed = run_ablation("--set", "training.learning_rate=0.1")
    assert "exp/surface: was trained with another config" in str(changed.exception)


def test_a_variant_goes_on_where_it_was_stopped(place, monkeypatch):
    variant = read_ablation(Path("ablation.yaml"), [])[0]
    train_variant(variant, place / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("speechgen.training.experiment.train", lambda *a: train(*a[:4], until=2, about=a[5]))
        train_variant(variant, place / "stopped")
    assert [folder.name for folder in list_checkpoints(place / "stopped")] == ["00000002"]
    train_variant(variant, place / "stopped")
    whole, stopped = (load(place / name).state_dict() for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"a": ["task.bach=3"]}, "ablation.yaml: variant a: codec.yaml: unknown key 'task.bach'; did you mean 'batch'"),
        ({"a": [], "b": ["training.steps=5"]}, "variant b has other steps than a"),
        ({"a": [], "b": ["task.seconds=0.2"]}, "variant b has other batches than a"),
        ({"a": [], "b": ["data.train=dump/more"]}, "variant b has other data than a"),
        ({"a/b": []}, "becomes the name of a folder"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(variants, message, place):
    with pytest.raises(UserError) as error:
        read_ablation(write_ablation(place, **variants), [])
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_continuous_codec_counts_the_bytes_of_its_latents():
    stack = {**STACK, "window": 640}
    values = {"sample_rate": RATE, "width": 6, "encoder": stack, "decoder": stack, "bottleneck": {"kind": "vae"}}
    codec = build_codec(CodecConfig.model_validate(values)).eval()
    wave = 0.1 * torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    coded, size = ContinuousSystem("vae", codec).reconstruct(wave, RATE)
    frames = RATE // codec.hop + codec.delay // codec.hop
    assert size == 2 * 6 * frames and coded.shape == wave.shape
    with torch.no_grad():
        expected = codec.decode(codec.encode(wave[None, None]))[0, 0]
    assert torch.allclose(coded, expected, atol=1e-2)


def test_curves_are_read_written_and_drawn(place):
    assert run_ablation("--baselines", "").exit_code == 0
    curves = read_curves(Path("exp/surface"), "dev/")
    assert all(name.startswith("dev/") and [step for step, _ in points] == [2, 4] for name, points in curves.items())
    write_curves(Path("some.csv"), {"x": curves, "y": {"other": [(2, 0.5)]}})
    with open("some.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert (last["run"], last["step"], last["other"], last["dev/codes/mel"]) == ("y", "2", "0.5", "")
    draw_curves(Path("some.png"), {"x": curves}, sorted(curves))
    assert Path("some.png").stat().st_size > 1000
    with pytest.raises(UserError, match="audio: holds no training log"):
        read_curves(Path("audio"))
