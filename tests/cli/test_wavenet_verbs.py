"""speechgen wavenet: train, generate, generate-set, score, pictures, pack; wrong uses leave nothing behind."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml

from speechgen.audio.files import read_audio, write_audio
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.shards import write_shards
from speechgen.models import wavenet_generate
from speechgen.models.load import load

RATE = 16000
SIZES = {"layers": 2, "cycle": 2, "residual": 8, "skip": 8, "hidden": 16, "condition": 6}
MEL = {"bands": 10, "hop": 160, "window": 320}


def tone(number: int, seconds: float = 1.2) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE)) / RATE
    phase = 2 * torch.pi * (150 + 70 * number) * time + 3 * torch.sin(7 * time)
    return 0.3 * torch.sin(phase) * torch.sin(4 * time).square()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """data/test, dump/train and the runs exp/notes, exp/one and exp/vocoder of a step or two."""
    from speechgen.training.experiment import read_experiment, run_experiment

    folder = tmp_path_factory.mktemp("wavenet")
    (folder / "audio").mkdir()
    notes = []
    for number in range(4):
        path = folder / "audio" / f"{number}.wav"
        write_audio(path, tone(number), RATE)
        labels = {"utt2pitch": "ab"[number % 2], "utt2articulation": "pizz"}
        notes.append(Utterance(f"meatbass-{number}", path, "note", "meatbass", "zxx", labels))
    DataDir(notes, folder).write(folder / "data/test")
    write_shards(DataDir(notes, folder), folder / "dump/train", RATE)
    write_shards(DataDir(notes, folder), folder / "dump/slow", 8000)
    told = {"labels": {"pitch": [], "articulation": []}}
    for name, model in (("notes", told), ("one", {**told, "layers": 1}), ("vocoder", {"mel": MEL})):
        values = {
            "kind": "wavenet",
            "model": {**SIZES, **model},
            "task": {"batch": 1, "seconds": 0.1, "dev_seconds": 0.1, "shown_seconds": 0},
            "data": {"train": str(folder / "dump/train"), "dev": str(folder / "dump/train")},
            "training": {"steps": 2, "warmup": 1},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
        run_experiment(read_experiment(folder / f"{name}.yaml", []), folder / "exp" / name)
    return folder


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


NOTE = ("--pitch", "a", "--articulation", "pizz", "--seconds", 0.05)


def test_a_note_is_the_same_for_the_same_seed(run, place, tmp_path):
    for name, seed, *more in (("one", 1), ("two", 1), ("three", 2), ("four", 1, "--method", "cached")):
        status, said, _ = run(
            "wavenet", "generate", place / "exp/notes", *NOTE, "--seed", seed, *more, "-o", tmp_path / f"{name}.wav"
        )
        assert status == 0 and "0.05 s" in said and "x real time" in said
    one, two, three, four = (read_audio(tmp_path / f"{name}.wav")[0] for name in ("one", "two", "three", "four"))
    assert len(one) == round(0.05 * RATE) and torch.equal(one, two) and not torch.equal(one, three)
    assert len(four) == len(one)


def test_labels_have_a_general_form(run, place, tmp_path):
    general = ("--label", "pitch=a", "--label", "articulation=pizz", "--seconds", 0.05)
    for name, words in (("short", NOTE), ("general", general)):
        out = tmp_path / f"{name}.wav"
        assert run("wavenet", "generate", place / "exp/notes", *words, "--seed", 4, "-o", out)[0] == 0
    assert (tmp_path / "short.wav").read_bytes() == (tmp_path / "general.wav").read_bytes()


def test_a_vocoder_follows_a_recording_or_frames(run, place, tmp_path):
    vocoder, talk = place / "exp/vocoder", place / "audio/1.wav"
    status, said, _ = run("wavenet", "generate", vocoder, "--from", talk, "--seconds", 0.1, "-o", tmp_path / "a.wav")
    assert status == 0 and "0.10 s" in said
    frames = load(vocoder).mel_of(read_audio(talk)[0][None])[0]
    np.save(tmp_path / "talk.npy", frames.numpy())
    given = ("--mel", tmp_path / "talk.npy", "--seconds", 0.1)
    assert run("wavenet", "generate", vocoder, *given, "-o", tmp_path / "b.wav")[0] == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    write_audio(tmp_path / "slow.wav", tone(1, 0.2), 8000)
    words = ("wavenet", "generate", vocoder, "--from", tmp_path / "slow.wav", "--resample", "-o", tmp_path / "c.wav")
    status, said, _ = run(*words)
    assert status == 0 and len(read_audio(tmp_path / "c.wav")[0]) == pytest.approx(2 * 0.2 * RATE, abs=MEL["hop"])


@pytest.mark.parametrize(
    "model, words, told",
    [
        ("notes", ("--pitch", "z", "--seconds", 1), "pitch z: not one of a, b"),
        ("notes", ("--speaker", "kim", "--seconds", 1), "label speaker: the model has no such label.*pitch"),
        ("notes", ("--label", "pitch", "--seconds", 1), "--label pitch: expected kind=name"),
        ("notes", ("--label", "pitch=a", "--pitch", "b", "--seconds", 1), "pitch is given twice"),
        ("notes", ("--pitch", "a"), "--seconds is missing"),
        ("notes", ("--seconds", 0), "--seconds 0: must be more than 0"),
        ("notes", ("--seconds", -2), "--seconds -2: must be more than 0"),
        ("notes", ("--seconds", "nan"), "--seconds nan: must be more than 0"),
        ("notes", ("--seconds", 1e12), r"--seconds 1e\+12: at most 3600"),
        ("notes", ("--seconds", 1, "--temperature", "nan"), "temperature nan"),
        ("notes", ("--seconds", 1, "--method", "cashed"), "method cashed: .*did you mean 'cached'"),
        ("notes", ("--from", "audio/0.wav"), "--from: the model is no vocoder; it is told articulation, pitch"),
        ("vocoder", ("--seconds", 1), "is a vocoder; give a recording with --from"),
        ("vocoder", ("--from", "audio/0.wav", "--seconds", 30), "the mel lasts 1.20 s, shorter than the 30.00 s"),
        ("vocoder", ("--from", "slow.wav"), "slow.wav: 8000 Hz, but the model has 16000 Hz; give --resample"),
        ("vocoder", ("--from", "nan.wav"), "nan.wav: holds NaN"),
        ("vocoder", ("--mel", "nan.npy"), "nan.npy: holds NaN or infinite values"),
        ("vocoder", ("--mel", "flat.npy"), r"flat.npy: expected log-mel frames of shape \(10, frames\), not \(7,\)"),
        ("vocoder", ("--mel", "pickle.npy"), "pickle.npy: is no .npy file of numbers"),
        ("vocoder", ("--mel", "nowhere.npy"), "nowhere.npy: no such file"),
        ("vocoder", ("--mel", "nan.npy", "--from", "slow.wav"), "give --from or --mel, not both"),
        ("shape", NOTE, r"tensor '[\w.]+' is \(\d+.*\), the config asks for"),
        ("codec", NOTE, "codec: is no WaveNet"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(run, place, tiny_models, tmp_path, monkeypatch, model, words, told):
    import re

    import soundfile

    write_audio(tmp_path / "slow.wav", tone(0, 0.3), 8000)
    soundfile.write(tmp_path / "nan.wav", np.full(4000, np.nan, np.float32), RATE, subtype="FLOAT")
    np.save(tmp_path / "nan.npy", np.full((MEL["bands"], 20), np.nan))
    np.save(tmp_path / "flat.npy", np.zeros(7))
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "audio").symlink_to(place / "audio")
    (tmp_path / "out").mkdir()
    folder = {"codec": tiny_models / "codec", "shape": tmp_path / "shape"}.get(model, place / "exp" / model)
    if model == "shape":
        shutil.copytree(place / "exp/notes", folder)
        values = yaml.safe_load((folder / "config.yaml").read_text())
        values["model"]["residual"] = 12
        (folder / "config.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    status, _, err = run("wavenet", "generate", folder, *words, "-o", tmp_path / "out/x.wav")
    assert status == 2 and re.search(told, err) and err.count("\n") == 1
    assert listing(tmp_path / "out") == set()


def test_a_packed_weight_file_of_another_shape_names_the_tensor(run, place, tmp_path):
    assert run("pack", place / "exp/notes", "--out", tmp_path / "packed")[0] == 0
    weights = safetensors.torch.load_file(tmp_path / "packed/model.safetensors")
    weights["hidden.weight"] = weights["hidden.weight"][:, :-1].contiguous()
    safetensors.torch.save_file(weights, tmp_path / "packed/model.safetensors")
    status, _, err = run("wavenet", "generate", tmp_path / "packed", *NOTE, "-o", tmp_path / "x.wav")
    assert status == 2 and "tensor 'hidden.weight' is (16, 7), the config asks for (16, 8)" in err
    assert listing(tmp_path) == {"packed"}


@pytest.mark.parametrize("keep", [False, True])
def test_an_interrupted_generation_keeps_what_it_made_only_when_asked_to(run, place, tmp_path, monkeypatch, keep):
    def interrupted(*values):
        made = chunks(*values)
        yield next(made)
        yield next(made)
        raise KeyboardInterrupt

    chunks = wavenet_generate._chunks
    monkeypatch.setattr(wavenet_generate, "_chunks", interrupted)
    note = ("--pitch", "a", "--seconds", 1, *(["--keep-partial"] if keep else []))
    status, _, err = run("wavenet", "generate", place / "exp/notes", *note, "-o", tmp_path / "x.wav")
    assert status == 130
    assert listing(tmp_path) == ({"x.wav"} if keep else set())
    if keep:
        assert len(read_audio(tmp_path / "x.wav")[0]) == round(0.2 * RATE) and "stopped after 0.20 of 1.00 s" in err


def test_notes_are_made_scored_shown_and_packed(run, place, tmp_path):
    exp = tmp_path / "notes"
    shutil.copytree(place / "exp/notes", exp)
    made = ("wavenet", "generate-set", exp, place / "data/test", "--out", exp / "generate", "--limit", 3)
    made += ("--train", place / "dump/train", "--baseline", place / "exp/one")
    assert run(*made)[0] == 0
    log = (exp / "generate/notes/bytes.json").stat().st_mtime_ns
    assert run(*made)[0] == 0 and (exp / "generate/notes/bytes.json").stat().st_mtime_ns == log
    status, said, _ = run("wavenet", "score", exp / "generate", "--results", tmp_path / "RESULTS.md")
    assert status == 0
    report = json.loads((exp / "generate/report.json").read_text())
    bits = {one["name"]: one["bits"]["mean"] for one in report["bits"]}
    assert list(bits) == [
        "notes", "1 layer of the same width", *(f"{n}-gram of codes" for n in (4, 3, 2, 1)), "uniform",
    ]  # fmt: skip
    assert bits["uniform"] == 8 and bits["4-gram of codes"] < bits["1-gram of codes"] < 8
    assert all(one["n"] == 3 and one["failed"] == 0 for one in report["bits"])
    results = (tmp_path / "RESULTS.md").read_text()
    assert "| 4-gram of codes | 3 | 0 |" in results and "x real time, one stream" in results and "meatbass" in results
    assert run("wavenet", "pictures", exp / "generate", "--out", tmp_path / "p.png", "--count", 2)[0] == 0
    assert (tmp_path / "p.png").read_bytes()[1:4] == b"PNG"
    status, _, err = run("wavenet", "pictures", exp / "generate", "--out", tmp_path / "q.png", "--only", "meatbass-9")
    assert status == 2 and "did you mean 'meatbass-" in err and not (tmp_path / "q.png").exists()
    status, said, _ = run("pack", exp, "--out", tmp_path / "packed", "--licence", "CC0-1.0")
    card = (tmp_path / "packed/README.md").read_text()
    assert status == 0 and "no scores" not in said and "| uniform | 3 | 0 | 8.000" in card
    assert "2 layers of 8 channels, 256 mu-law classes, told articulation and pitch" in card


def test_a_vocoder_is_scored_beside_griffin_lim_and_a_codec(run, place, tiny_models, tmp_path):
    made = ("wavenet", "generate-set", place / "exp/vocoder", place / "data/test", "--out", tmp_path / "generate")
    made += ("--limit", 2, "--codec", tiny_models / "codec", "--kbps", 0.6)
    assert run(*made)[0] == 0
    assert run("wavenet", "score", tmp_path / "generate", "--results", tmp_path / "RESULTS.md")[0] == 0
    report = json.loads((tmp_path / "generate/report.json").read_text())
    assert [one["name"] for one in report["systems"]] == ["recording", "vocoder", "griffin-lim", "codec-0.6k"]
    mel = {one["name"]: one["mel"]["mean"] for one in report["systems"] if one["mel"]}
    assert mel["recording"] == 0 < mel["griffin-lim"] < mel["vocoder"]
    assert "| griffin-lim |" in (tmp_path / "RESULTS.md").read_text()


def test_data_at_another_rate_is_told(run, place, tmp_path):
    made = ("wavenet", "generate-set", place / "exp/notes", place / "data/test", "--out", tmp_path / "generate")
    status, _, err = run(*made, "--train", place / "dump/slow")
    assert status == 2 and "dump/slow: 8000 Hz, but the model has 16000 Hz; dump again" in err
    words = ("--exp", tmp_path / "exp", "--set", f"data.train={place}/dump/slow")
    status, _, err = run("train", place / "notes.yaml", *words)
    assert status == 2 and "dump/slow: 8000 Hz, but the model has 16000 Hz" in err and err.count("\n") == 1
    assert not (tmp_path / "generate").exists()
