"""speechgen pack: from a run to a model folder with a card that says what it cost and how it scores."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from speechgen.config import Config, make_config, save_config
from speechgen.data.origins import ORIGINS
from speechgen.evaluation.facts import model_facts, read_front_matter
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.models.load import build, fingerprint, load, load_entropy
from speechgen.models.tts_config import TTSConfig
from speechgen.tokenizers.codec import CodecConfig
from speechgen.training.checkpoint import save_checkpoint
from speechgen.training.entropy import EntropyConfig, EntropyNetwork, quantise
from speechgen.training.facts import write_facts

STACK = {"width": 16, "blocks": 1, "window": 80}
CONFIGS = {
    "codec": {"hop": 40, "width": 6, "encoder": STACK, "decoder": STACK, "bottleneck": {"codebooks": 2}},
    "listener": {
        "width": 8,
        "blocks": 1,
        "phonemes": ["<blank>", " ", "a"],
        "characters": ["<blank>", "a"],
        "speakers": ["x"],
    },
    "tts": {
        "symbols": [" ", "a"],
        "languages": ["en"],
        "codec": "../codec/exp/codec/packed",
        "transformer": {"width": 16, "layers": 1, "heads": 2},
        "head": {"kind": "flow", "width": 16, "blocks": 1},
        "symbol_width": 8,
        "duration_width": 8,
    },
}
KINDS = {"codec": CodecConfig, "listener": ListenerConfig, "tts": TTSConfig}
DATA = [
    {"name": "kathleen", "hours": 1.2, "utterances": 1417, "speakers": 1, "languages": ["en"]},
    {"name": "", "hours": 0.5, "utterances": 100, "speakers": 7, "languages": ["de"]},
]
COST = {"step": 300, "steps": 400, "seconds": 1800.0, "ranks": 1, "machine": "Abacus, 2 cores", "torch": "2.11.0"}
ESTIMATE = {"mean": 0.25, "ci95": [0.2, 0.3]}
REPORTS = {
    "codec": {
        "source": "data/test",
        "metrics": ["pesq_wb", "stoi"],
        "systems": [
            {"name": "ours-3k", "kbps": 3.1, "n": 60, "failed": 0, "pesq_wb": ESTIMATE, "stoi": None},
            {"name": "recording", "kbps": None, "n": 0, "failed": 60, "pesq_wb": None, "stoi": None},
        ],
        "slices": [{"slice": "speaker", "value": "a"}],
    },
    "listener": {
        "source": "data/test",
        "slices": [
            {"name": "all", "n": 4, "failed": 1, "phoneme_error": ESTIMATE, "cer": ESTIMATE, "speaker_accuracy": None}
        ],
    },
    "tts": {
        "source": "data/test",
        "corpora": [
            {
                "name": "kathleen",
                "n": 60,
                "failed": 0,
                **{key: {"speech": ESTIMATE} for key in ("sim", "sim_other", "dnsmos")},
            }
        ],
        "targets": [
            {"what": "WER ratio", "bound": "at most", "target": 1.25, "measured": ESTIMATE, "n": 60, "met": True},
            {
                "what": "x real time",
                "bound": "at least",
                "target": 3,
                "measured": {"mean": 2.5, "ci95": None},
                "n": 60,
                "met": False,
            },
        ],
    },
}


def make_run(folder: Path, kind: str, facts: dict | None = None) -> Config:
    """A training run as ``speechgen train`` leaves it, whose averaged weights differ from the last ones."""
    config = make_config(KINDS[kind], {"kind": kind, **CONFIGS[kind]})
    torch.manual_seed(0)
    module = build(config.model_dump(mode="json"), kind)
    averaged = torch.optim.swa_utils.AveragedModel(module)
    averaged.update_parameters(module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 1
    folder.mkdir(parents=True)
    values = {"kind": kind, "model": config.model_dump(mode="json"), "training": {"steps": 400}}
    (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    save_checkpoint(folder, 300, {kind: module, f"{kind}-ema": averaged}, {}, {})
    if facts is not None:
        write_facts(folder, facts)
    return config


@pytest.mark.parametrize("kind", ["codec", "listener", "tts"])
def test_a_packed_model_is_the_run_s_averaged_model(kind, run, tmp_path):
    exp, out = tmp_path / "exp" / kind, tmp_path / "exp" / kind / "packed"
    config = make_run(exp, kind, {"kind": kind, "data": DATA, **COST})
    (exp / "generate").mkdir()
    (exp / "generate/report.json").write_text(json.dumps(REPORTS[kind]), encoding="utf-8")
    status, said, _ = run("pack", exp, "--out", out, "--licence", "CC-BY-4.0", "--note", "A toy.")
    assert status == 0 and "M parameters" in said and "no scores" not in said
    packed, trained = load(out), load(exp)
    assert packed.config == config and fingerprint(packed) == fingerprint(trained)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.yaml", "model.safetensors"]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"\n# {kind}\n" in card and f'speechgen.load("{kind}")' in card
    kathleen = ORIGINS["kathleen"]
    assert f"| [kathleen]({kathleen.page}) | 1.20 | 1417 | 1 | en | {kathleen.licence} |" in card
    assert "| other recordings | 0.50 | 100 | 7 | de | not known |" in card
    assert "- steps: 300 of 400" in card and "- training time: 0.50 h" in card and "Abacus" in card
    assert "The weights: CC-BY-4.0." in card and "A toy." in card
    expected = {
        "codec": ["| ours-3k | 3.10 | 60 | 0 | 0.25 (0.20-0.30) | - |", "| recording | - | 0 |", "PESQ-WB"],
        "listener": ["| all | 4 | 1 | 25.0 (20.0-30.0) | 25.0 (20.0-30.0) | - |"],
        "tts": [
            "| kathleen | 60 | 0 | 0.250 (0.200-0.300) |",
            "| x real time | 2.50 | 60 | at least 3 | no |",
            "through the codec codec, aligned by the listener listener-16k",
        ],
    }
    for line in expected[kind]:
        assert line in card
    matter = read_front_matter(out / "README.md")
    assert matter["license"] == "cc-by-4.0" and matter["language"] == ["de", "en"]
    assert model_facts(out) == matter["facts"] == model_facts(exp)
    assert matter["facts"]["training data"] == "kathleen 1.20 h, other recordings 0.50 h; 1517 utterances, 8 speakers"


def test_half_precision_is_half_as_large(run, tmp_path):
    make_run(tmp_path / "exp", "codec", {"kind": "codec", "data": DATA, **COST})
    run("pack", tmp_path / "exp", "--out", tmp_path / "full")
    status, said, _ = run("pack", tmp_path / "exp", "--out", tmp_path / "half", "--half", "--name", "toy")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert status == 0 and sizes[1] < 0.6 * sizes[0]
    assert "\n# toy\n" in (tmp_path / "half/README.md").read_text(encoding="utf-8")
    assert all(parameter.dtype == torch.float32 for parameter in load(tmp_path / "half").parameters())


def test_a_run_that_says_little_still_packs(run, tmp_path):
    make_run(tmp_path / "exp", "listener")
    status, said, _ = run("pack", tmp_path / "exp", "--out", tmp_path / "packed")
    assert status == 0 and "no scores, run the stages generate and score first" in said
    card = (tmp_path / "packed/README.md").read_text(encoding="utf-8")
    assert "## Scores" not in card and "No licence was stated" in card
    assert read_front_matter(tmp_path / "packed/README.md")["license"] == "other"
    assert isinstance(load(tmp_path / "packed"), Listener)


def test_what_a_run_started_from_is_told(run, tmp_path):
    initial = {"name": "first", "kind": "codec", "data": DATA, **COST}
    make_run(tmp_path / "exp", "codec", {"kind": "codec", "data": DATA, "initial": initial, **COST})
    run("pack", tmp_path / "exp", "--out", tmp_path / "packed")
    card = (tmp_path / "packed/README.md").read_text(encoding="utf-8")
    assert "- started from: first, 300 steps in 0.50 h" in card


def test_packing_again_replaces_the_model_and_keeps_its_voices(run, tmp_path):
    make_run(tmp_path / "exp", "codec", {"kind": "codec", "data": DATA, **COST})
    out = tmp_path / "packed"
    run("pack", tmp_path / "exp", "--out", out, "--note", "One.")
    (out / "voices").mkdir()
    (out / "voices/ann.voice").write_bytes(b"ann")
    assert run("pack", tmp_path / "exp", "--out", out, "--note", "Two.")[0] == 0
    assert "Two." in (out / "README.md").read_text(encoding="utf-8") and (out / "voices/ann.voice").exists()


def test_mistakes_of_pack(run, tmp_path):
    make_run(tmp_path / "exp", "codec")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("mine")
    save_config(make_config(CodecConfig, CONFIGS["codec"]), tmp_path / "mine/config.yaml")
    for arguments, message in (
        ((tmp_path / "nowhere", "--out", tmp_path / "x"), "nowhere: is no training run with a checkpoint"),
        ((tmp_path / "mine", "--out", tmp_path / "x"), "mine: is no training run with a checkpoint"),
        ((tmp_path / "exp", "--out", tmp_path / "mine"), "mine: holds something that is no model"),
    ):
        status, _, told = run("pack", *arguments)
        assert status == 2 and message in told and told.count("\n") == 1
    assert not (tmp_path / "x").exists()
    weights = next(tmp_path.glob("exp/checkpoints/*/codec-ema.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-10])
    status, _, told = run("pack", tmp_path / "exp", "--out", tmp_path / "x")
    assert status == 2 and "codec-ema.safetensors: damaged" in told and not (tmp_path / "x").exists()


def test_the_entropy_model_goes_with_its_codec(run, tmp_path):
    exp, out = tmp_path / "exp", tmp_path / "packed"
    make_run(exp, "codec")
    fitted = quantise(EntropyNetwork(2, 1024, EntropyConfig(embedding=4, hidden=8, final=4)))
    fitted.save(exp / "entropy.safetensors")
    assert run("pack", exp, "--out", out)[0] == 0
    assert load_entropy(out).fingerprint == fitted.fingerprint
