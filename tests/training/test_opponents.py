"""Discriminators outlive their run: packed beside the codec, taken up again by one that starts from it."""

import json

import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from speechgen.cli import app
from speechgen.config import make_config
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.shards import write_shards
from speechgen.errors import UserError
from speechgen.losses.discriminators import DiscriminatorConfig, Discriminators
from speechgen.models.load import load
from speechgen.models.weights import list_checkpoints
from speechgen.training.experiment import CodecExperiment, run_experiment
from speechgen.training.opponents import KEPT, read_discriminators, start_discriminators

RATE = 4000
STACK = {"width": 8, "blocks": 1, "window": 80}
RVQ = {"codebooks": 2, "codebook_size": 8, "code_width": 4, "start_step": 0}
MODEL = {"sample_rate": RATE, "hop": 40, "width": 6, "encoder": STACK, "decoder": STACK, "bottleneck": RVQ}
SIZES = {"periods": [2], "windows": [64], "channels": 2, "spectrogram_channels": 3}
STILL = {"learning_rate": 0.0, "final_learning_rate": 0.0, "weight_decay": 0.0, "bf16": False}


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    import numpy as np
    import soundfile

    folder = tmp_path_factory.mktemp("dump")
    utterances = []
    for number in range(3):
        wave = 0.3 * np.sin(2 * np.pi * (200 + 90 * number) * np.arange(RATE) / RATE)
        soundfile.write(folder / f"a-{number}.wav", wave, RATE)
        utterances.append(Utterance(f"a-{number}", folder / f"a-{number}.wav", "Hm.", "a", "en"))
    write_shards(DataDir(utterances, folder), folder / "train", RATE)
    return folder / "train"


def experiment(dump, steps=2, against=True, sizes=SIZES, training=None, model=MODEL, **values):
    adversarial = {"adversarial": 1.0, "discriminators": sizes, **values.pop("adversarial", {})} if against else {}
    surface = {"stft_windows": [64, 128], "mel_windows": [64], "mel_bands": [8]}
    task = {"batch": 2, "seconds": 0.1, "surface": surface, "adversarial": adversarial}
    config = {"kind": "codec", "task": task, "data": {"train": str(dump), "dev": str(dump)}, **values}
    config["training"] = {"steps": steps, "warmup": 1, "log_every": 1, "learning_rate": 0.01, **(training or {})}
    return make_config(CodecExperiment, {**config, **({"model": model} if model else {})})


@pytest.fixture(scope="module")
def first(dump, tmp_path_factory):
    """A run with discriminators, and the folder it was packed into."""
    exp = tmp_path_factory.mktemp("first")
    run_experiment(experiment(dump), exp / "exp")
    done = CliRunner().invoke(app, ["pack", str(exp / "exp"), "--out", str(exp / "packed")])
    assert done.exit_code == 0 and f"{KEPT}:" in done.output
    return exp


def weights_after(exp):
    return read_discriminators(exp)[1]


def test_what_is_packed_are_the_averaged_weights_and_their_sizes(first):
    config, kept = read_discriminators(first / "packed")
    assert config == make_config(DiscriminatorConfig, SIZES)
    with safe_open(list_checkpoints(first / "exp")[-1] / "discriminators-ema.safetensors", "pt") as file:
        averaged = {name.removeprefix("module."): file.get_tensor(name) for name in file.keys() if "module." in name}
    assert kept.keys() == averaged.keys() == Discriminators(config).state_dict().keys()
    assert all(torch.equal(kept[name], averaged[name]) for name in kept)
    with safe_open(first / "packed" / KEPT, "pt") as file:
        assert json.loads(file.metadata()["config"])["spectrogram_channels"] == 3


def test_a_model_is_loaded_without_them(first):
    loaded, run = load(first / "packed"), load(first / "exp")
    assert loaded.state_dict().keys() == run.state_dict().keys()
    (first / "packed" / KEPT).rename(first / "packed" / "elsewhere")
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), load(first / "packed").parameters(), strict=True))
    (first / "packed" / "elsewhere").rename(first / "packed" / KEPT)


@pytest.mark.parametrize("where", ["packed", "exp"])
def test_a_run_that_starts_from_the_codec_goes_on_with_them(where, first, dump, tmp_path):
    values = {"initial": str(first / where), "training": STILL}
    run_experiment(experiment(dump, 1, **values), tmp_path / "second")
    kept, after = weights_after(first / where), weights_after(tmp_path / "second")
    assert all(torch.allclose(kept[name], after[name], atol=1e-6) for name in kept)
    run_experiment(experiment(dump, 1, **values, adversarial={"from_initial": False}), tmp_path / "fresh")
    fresh = weights_after(tmp_path / "fresh")
    assert not all(torch.allclose(kept[name], fresh[name], atol=1e-6) for name in kept)


def test_half_as_large(first, dump, tmp_path):
    words = ["pack", str(first / "exp"), "--out", str(tmp_path / "half"), "--half"]
    assert CliRunner().invoke(app, words).exit_code == 0
    full, half = read_discriminators(first / "packed")[1], read_discriminators(tmp_path / "half")[1]
    assert all(half[name].dtype == torch.float32 and torch.allclose(full[name], half[name], atol=1e-2) for name in full)
    sizes = [(folder / KEPT).stat().st_size for folder in (first / "packed", tmp_path / "half")]
    assert sizes[1] < sizes[0]
    assert CliRunner().invoke(app, [*words[:-1], "--no-discriminators"]).exit_code == 0
    assert not (tmp_path / "half" / KEPT).exists() and (tmp_path / "half" / "model.safetensors").exists()


def test_a_codec_without_them_is_packed_and_started_from(first, dump, tmp_path):
    run_experiment(experiment(dump, against=False), tmp_path / "plain")
    done = CliRunner().invoke(app, ["pack", str(tmp_path / "plain"), "--out", str(tmp_path / "packed")])
    assert done.exit_code == 0 and KEPT not in done.output and not (tmp_path / "packed" / KEPT).exists()
    assert read_discriminators(tmp_path / "packed") is None
    run_experiment(experiment(dump, initial=str(tmp_path / "packed")), tmp_path / "second")
    assert weights_after(tmp_path / "second")


def test_the_model_may_be_the_initial_one_s(first, dump, tmp_path):
    run_experiment(experiment(dump, 1, model=None, initial=str(first / "packed")), tmp_path / "second")
    assert load(tmp_path / "second").config == load(first / "packed").config


def test_mistakes_are_named(first, dump, tmp_path):
    fresh = Discriminators(make_config(DiscriminatorConfig, {**SIZES, "channels": 4}))
    other = make_config(DiscriminatorConfig, {**SIZES, "channels": 4})
    with pytest.raises(UserError, match=r"have channels: 2; set that in task.adversarial.discriminators, or begin"):
        start_discriminators(fresh, other, first / "packed")
    (tmp_path / "cut").mkdir()
    content = (first / "packed" / KEPT).read_bytes()
    (tmp_path / "cut" / KEPT).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=f"cut/{KEPT}: damaged or not safetensors"):
        read_discriminators(tmp_path / "cut")
