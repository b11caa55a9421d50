"""From config files to runs: mistakes are named, and the three kinds of experiment hang together."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from speechgen.cli.dump_units import units as dump_units
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.shards import write_shards
from speechgen.errors import UserError
from speechgen.models.load import load
from speechgen.stages.locks import hold
from speechgen.tokenizers.codec import CodecConfig, build_codec
from speechgen.training.experiment import read_experiment, run_experiment
from speechgen.training.facts import read_facts

RATE = 8000
TEXTS = ("A cat.", "Two dogs.", "Three fish.", "No more.")
TRAINING = {"steps": 2, "warmup": 1, "log_every": 1, "evaluate_every": 2, "checkpoint_every": 2}
LISTENER = {"sample_rate": RATE, "mels": 10, "hop": 160, "width": 8, "blocks": 1, "kernel": 3}
STACK = {"width": 8, "blocks": 1, "window": 320}
RVQ = {"codebooks": 2, "codebook_size": 8, "code_width": 4, "start_step": 0}
CODEC = {"sample_rate": RATE, "hop": 160, "width": 6, "encoder": STACK, "decoder": STACK, "bottleneck": RVQ}
SURFACE = {"stft_windows": [64, 128], "mel_windows": [64], "mel_bands": [8]}
TTS = {
    "transformer": {"width": 16, "layers": 1, "heads": 2},
    "head": {"kind": "flow", "width": 8, "blocks": 1, "draws": 1},
    "symbol_width": 8, "symbol_blocks": 1, "voice_blocks": 1, "duration_width": 8, "duration_blocks": 1,
}  # fmt: skip


def write(folder: Path, name: str = "conf.yaml", **values) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder to run in, with dumps of eight short recordings of two speakers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audio").mkdir()
    utterances = []
    for speaker in ("kathleen", "amy"):
        for number, text in enumerate(TEXTS):
            id = f"{speaker}-{number}"
            time = np.arange(int((1.2 + 0.2 * number) * RATE)) / RATE
            wave = 0.3 * np.sin(2 * np.pi * (200 + 90 * number) * time) * np.sin(5 * time)
            soundfile.write(tmp_path / "audio" / f"{id}.wav", wave, RATE)
            utterances.append(Utterance(id, tmp_path / "audio" / f"{id}.wav", text, speaker, "en"))
    write_shards(DataDir(sorted(utterances, key=lambda u: u.id), tmp_path), tmp_path / "dump/train", RATE)
    return tmp_path


def experiment(kind: str, folder: Path, *overrides: str, **values):
    data = {"train": "dump/train", "dev": "dump/train"}
    path = write(folder, f"{kind}.yaml", **{"kind": kind, "data": data, "training": TRAINING, **values})
    return read_experiment(path, list(overrides))


def test_listener_codec_and_voice_in_a_row(place, capsys):
    run_experiment(experiment("listener", place, model=LISTENER, task={"batch_seconds": 6}), place / "exp/listener")
    listener = load("exp/listener")
    assert listener.config.speakers == ["amy", "kathleen"] and " " in listener.config.phonemes

    perceptual = {"weight": 0.5, "model": "exp/listener", "layers": [0]}
    task = {"batch": 2, "seconds": 0.4, "surface": SURFACE, "perceptual": perceptual}
    run_experiment(experiment("codec", place, model=CODEC, task=task), place / "exp/codec")

    dump_units(Path("dump/train"), Path("dump/units"), "exp/codec", "exp/listener", 0.1)
    assert "8 utterances, 0 skipped" in capsys.readouterr().out

    values = {
        "model": {**TTS, "codec": "exp/codec", "listener": "exp/listener"},
        "task": {"batch_seconds": 6},
        "data": {"train": "dump/units", "dev": "dump/units"},
    }
    run_experiment(experiment("tts", place, **values), place / "exp/tts")
    tts = load("exp/tts")
    assert tts.config.frame_rate == 50 and tts.config.languages == ["en"] and " " in tts.config.symbols

    for kind in ("listener", "codec", "tts"):
        facts = read_facts(place / "exp" / kind)
        assert (facts["kind"], facts["step"]) == (kind, 2)
        assert [(corpus["name"], corpus["utterances"]) for corpus in facts["data"]] == [("", 4), ("kathleen", 4)]
        assert facts["data"][1]["hours"] == pytest.approx(4 * 1.5 / 3600, abs=5e-4)

    more = {key: values[key] for key in ("task", "data")} | {"initial": "exp/tts"}
    quick = {**TRAINING, "learning_rate": 0.05}
    adapting = experiment("tts", place, "model.codec=exp/codec", **more, lora={"rank": 2}, training=quick)
    run_experiment(adapting, place / "exp/adapted")
    adapted = load("exp/adapted")
    assert adapted.config == tts.config and adapted.state_dict().keys() == tts.state_dict().keys()
    kept = {name for name, weight in adapted.state_dict().items() if weight.equal(tts.state_dict()[name])}
    assert {name.partition(".")[0] for name in adapted.state_dict().keys() - kept} == {"transformer", "head"}
    assert all(name in kept for name in adapted.state_dict() if not name.startswith(("transformer", "head")))
    with pytest.raises(UserError, match="lora: adapts a model that has learned something"):
        run_experiment(experiment("tts", place, **{**values, "lora": {}}), place / "exp/nothing")

    turned = {**more, "task": {**values["task"], "rewhiten": True}}
    run_experiment(experiment("tts", place, "model.codec=exp/codec", **turned), place / "exp/turned")
    torch.testing.assert_close(load("exp/turned").whitening.matrix, tts.whitening.matrix)  # its units are the same
    with pytest.raises(UserError, match="task.rewhiten: is for latents of a model that goes on from another"):
        run_experiment(experiment("tts", place, "task.rewhiten=true", **values), place / "exp/nothing")

    student = {**more, "model": {"codec": "exp/codec", "head": {"kind": "one-step", "steps": 2}}}
    run_experiment(experiment("tts", place, **student), place / "exp/student")
    head = load("exp/student").config.head
    assert (head.kind, head.width, head.blocks, head.steps, head.guidance) == ("one-step", 8, 1, 2, 1.5)
    with pytest.raises(
        UserError, match="initial: exp/student: its head is of kind one-step; one-step learns from a flow"
    ):
        run_experiment(experiment("tts", place, "initial=exp/student", **student), place / "exp/nothing")
    with pytest.raises(UserError, match="one-step learns from a trained flow; name it with initial:"):
        run_experiment(experiment("tts", place, "model.head={kind: one-step}", **values), place / "exp/nothing")

    codes = {"unit": "codes", "patch": 1, "order": {"kind": "delay"}, "head": {"kind": "categorical"}}
    values["model"] = {**values["model"], **codes, "codebooks": 2, "codebook_size": 8}
    for key, wrong, message in (("codebooks", 8, "the units have 2"), ("codebook_size", 16, "the codec is 8")):
        with pytest.raises(UserError, match=f"model.{key} = {wrong}: .*{message}"):
            run_experiment(experiment("tts", place, f"model.{key}={wrong}", **values), place / "exp/codes")
    run_experiment(experiment("tts", place, **values), place / "exp/codes")
    assert load("exp/codes").config.unit == "codes"


def test_a_run_may_start_from_another_s_averaged_weights(place):
    task = {"batch": 2, "seconds": 0.4, "surface": SURFACE}
    run_experiment(experiment("codec", place, model=CODEC, task=task), place / "exp/first")
    still = {**TRAINING, "learning_rate": 0.0, "final_learning_rate": 0.0, "weight_decay": 0.0}
    values = {"model": CODEC, "task": task, "training": still, "initial": "exp/first"}
    run_experiment(experiment("codec", place, **values), place / "exp/second")
    first, second = load("exp/first"), load("exp/second")
    assert first.encoder.inlet.weight.equal(second.encoder.inlet.weight)
    facts = read_facts(place / "exp/second")["initial"]
    assert (facts["name"], facts["step"], facts["kind"]) == ("first", 2, "codec")
    wider = {**CODEC, "width": 8}
    with pytest.raises(UserError, match="initial: exp/first: tensor .* does not fit the model"):
        run_experiment(experiment("codec", place, **{**values, "model": wider}), place / "exp/third")


@pytest.mark.parametrize("kind", ["listener", "codec"])
def test_a_dump_at_another_rate_is_refused(kind, place):
    model = {"listener": LISTENER, "codec": CODEC}[kind]
    with pytest.raises(UserError, match="dump/train: 8000 Hz, but the model has 16000 Hz; dump again"):
        run_experiment(experiment(kind, place, "model.sample_rate=16000", model=model), place / "exp")


def test_two_runs_in_one_folder(place):
    with hold(place / "exp" / "config.yaml"), pytest.raises(UserError, match="another run .* works here"):
        run_experiment(experiment("codec", place, model=CODEC), place / "exp")


@pytest.mark.parametrize(
    ("kind", "override", "message"),
    [
        ("codec", "trainning.steps=3", "unknown key 'trainning'; did you mean 'training'"),
        ("codec", "training.step=3", "unknown key 'training.step'; did you mean 'steps'"),
        ("codec", "model.encoder.widht=3", "did you mean 'width'"),
        ("codec", "task.adversarial.freeze_encode=true", "did you mean 'freeze_encoder'"),
        ("listener", "task.batch_second=3", "did you mean 'batch_seconds'"),
        ("tts", "model.head={kind: flow, widht: 3}", "did you mean 'width'"),
        ("tts", "model.order.kind=dely", "delay"),
        ("codec", "training.steps=many", "training.steps = 'many'"),
        ("codec", "training.steps=0", "training.steps = 0"),
        ("codec", "training.log_every=0", "training.log_every = 0"),
        ("codec", "model.hop=0", "model.hop = 0"),
        ("codec", "model.width=-3", "model.width = -3"),
        ("codec", "model.bottleneck.codebooks=0", "codebooks = 0"),
        ("codec", "model.encoder.window=-640", "window = -640"),
        ("listener", "model.kernel=4", "its kernel is odd"),
        ("listener", "model.hop=161", "model.hop = 161"),
        ("codec", "model._target_=os.system", "unknown key 'model._target_'"),
        ("codec", "model", "expected key.subkey=value"),
        ("codec", "kind.x=1", "kind is a single value"),
        ("codec", "model.hop=[1", "not plain YAML"),
    ],
)
def test_mistakes_in_a_config_are_named(kind, override, message, tmp_path):
    with pytest.raises(UserError) as error:
        experiment(kind, tmp_path, override)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.encoder.window=500", "encoder.window = 500 is not a multiple of hop = 320"),
        ("model.hop=7", "window = 960 is not a multiple of hop = 7"),
        ("model.decoder={kind: seanet, strides: [2, 3]}", "make 6 samples per frame, hop is 320"),
    ],
)
def test_impossible_strides_are_refused_when_the_codec_is_built(override, message, tmp_path):
    config = experiment("codec", tmp_path, override)
    with pytest.raises(UserError, match=message):
        build_codec(config.model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: codek\n", "kind: codek; did you mean 'codec'"),
        (
            "steps: 3\n",
            "kind: None; known: codec, image, image-classifier, image-clip, image-codec, image-flow",
        ),
        ("kind: [codec]\n", "kind: ['codec']"),
        ("- codec\n", "expected 'key: value' lines"),
        ("", "expected 'key: value' lines"),
        ("kind: {\n", "not plain YAML"),
        ("kind: !!python/object/apply:os.mkdir [exploded]\n", "not plain YAML"),
        ("kind: codec\nmodel: !!python/object/apply:os.mkdir [exploded]\n", "not plain YAML"),
        ("kind: codec\nmodel: {_target_: os.mkdir, path: exploded}\n", "unknown key 'model._target_'"),
    ],
)
def test_files_that_are_no_experiment(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("conf.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_experiment(Path("conf.yaml"), [])
    assert message in str(error.value) and str(error.value).startswith("conf.yaml: ")
    assert not Path("exploded").exists()


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="nowhere.yaml: no such config file"):
        read_experiment(tmp_path / "nowhere.yaml", [])
    (tmp_path / "latin.yaml").write_bytes("kind: cödec\n".encode("latin-1"))
    with pytest.raises(UserError, match="latin.yaml: not UTF-8"):
        read_experiment(tmp_path / "latin.yaml", [])


def test_the_published_presets_can_be_built():
    codec = build_codec(CodecConfig())
    assert (codec.sample_rate, codec.frame_rate, codec.codebooks) == (16000, 50, 12)
