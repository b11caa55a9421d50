"""Sounds of labels from the command line: dump, train, generate, score, pack; every named system; wrong uses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speechgen.audio.files import read_audio
from speechgen.audio.lengths import fitted
from speechgen.data.kaldi import DataDir
from speechgen.data.shards import write_shards
from speechgen.data.sound_units import SoundUnits
from speechgen.evaluation.distances import frechet_distance
from speechgen.models.systems import SYSTEMS

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/fsdd/sound"
SOUND_SYSTEMS = [system for system in SYSTEMS if "/sound/" in system.config]
FEW = {"steps": 3, "warmup": 1, "log_every": 1}
TINY = {"width": 16, "layers": 1, "heads": 2}


def changes(folder: Path, dump: str) -> list[str]:
    sets = [f"data.{split}={folder / dump / split}" for split in ("train", "dev")]
    return [*sets, *(f"training.{key}={value}" for key, value in FEW.items()), "task.batch=4"]


def train(folder: Path, codec: Path, path: Path, name: str = "", *more: str) -> Path:
    from speechgen.training.experiment import read_experiment, run_experiment

    exp = folder / "exp" / (name or path.stem)
    sizes = [f"model.{key}={value}" for key, value in TINY.items()]
    config = read_experiment(path, [*changes(folder, "dump/units"), *sizes, f"tokenizer={codec}", *more])
    if config.model.tokenizer.unit == "codes" and config.model.tokenizer.codebooks > 3:
        sets = [*changes(folder, "dump/units"), *sizes, f"tokenizer={codec}", "model.tokenizer.codebooks=3", *more]
        config = read_experiment(path, sets)
    if not exp.exists():
        run_experiment(config, exp, "cpu")
    return exp


@pytest.mark.parametrize("system", SOUND_SYSTEMS, ids=lambda system: system.name)
def test_every_system_trains_and_samples_from_its_config(system, run, place, tiny_models, tmp_path) -> None:
    name = system.config.replace("/", "-")
    exp = train(place, tiny_models / "codec", ROOT / system.config, name)
    words = system.sample.split()
    words[words.index(next(word for word in words if "/exp/" in word))] = str(exp)
    words[-1] = str(tmp_path / words[-1])
    if "--prompt" in words:
        words[words.index("prompt.wav")] = str(place / "7.wav")
        words[words.index("--prompt_seconds") + 1] = "0.2"
    status, said, error = run(*words[1:])
    assert status == 0, error
    wave, rate = read_audio(words[-1])
    count = 1 if "--prompt" in words else 3
    assert rate == 16000 and len(wave) == count * 6400 + (count - 1) * 2400 and f"{count} sounds of" in said


def test_from_recordings_to_scores(run, place, tiny_models, tmp_path) -> None:
    exp = train(place, tiny_models / "codec", RECIPE / "conf/sound.yaml")
    made = tmp_path / "generate"
    assert run("sound", "generate-set", exp, "--each", 2, "--steps", 2, "--guidance", 2, "--out", made)[0] == 0
    assert len(list(made.glob("made/*.wav"))) == 4 and (made / "sheet.png").read_bytes()[1:4] == b"PNG"
    scoring = ("--test", place / "dump/dev", "--train", place / "dump/train", "--model", exp)
    results = tmp_path / "RESULTS.md"
    status, said, error = run(
        "sound", "score", made, *scoring, "--classifier", place / "exp/classifier", "--results", results
    )
    assert status == 0, error
    report = json.loads((made / "report.json").read_text())
    assert [row["n"] for row in report["judged"]] == [8, 8, 4, 8]
    assert report["judged"][0]["frechet"] < 1e-3  # the same recordings
    assert report["judged"][1]["frechet"] > 0
    assert said.strip() in results.read_text() and "fsdd, 8 sounds of 2 labels" in results.read_text()
    assert run("pack", exp, "--out", tmp_path / "packed")[0] == 0
    # A packed model holds its codec, and makes the same.
    for model, out in ((exp, "a.wav"), (tmp_path / "packed", "b.wav")):
        words = ("--label", "seven", "--seed", 3, "--steps", 2)
        assert run("sound", "generate", model, *words, "-o", tmp_path / out)[0] == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert "A generator of sounds of 0.4 s and 2 labels" in (tmp_path / "packed/README.md").read_text()


class Loudness(torch.nn.Module):
    """Waves (N, T) to four numbers for each frame of 400 samples: (N, frames, 4)."""

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        return waves.unflatten(1, (-1, 4, 100)).abs().mean(-1)


def test_a_network_from_outside_hears_too(run, place, tiny_models, tmp_path) -> None:
    exp, made = train(place, tiny_models / "codec", RECIPE / "conf/sound.yaml"), tmp_path / "generate"
    assert run("sound", "generate-set", exp, "--each", 3, "--steps", 2, "--out", made)[0] == 0
    torch.jit.script(Loudness()).save(tmp_path / "loudness.pt")
    scoring = ("--test", place / "dump/dev", "--train", place / "dump/train", "--classifier", place / "exp/classifier")
    words = ("sound", "score", made, *scoring, "--model", exp, "--features", tmp_path / "loudness.pt")
    status, said, error = run(*words)
    assert status == 0, error
    report = json.loads((made / "report.json").read_text())
    rows = {row["name"]: row["frechet_by_file"] for row in report["judged"]}
    assert rows["test recordings"] < 1e-6 < rows["generated"]  # the same recordings
    heard = []
    for paths in (made.glob("made/*.wav"), place.glob("*.wav")):
        waves = [fitted(read_audio(path)[0], 16000, 6400) for path in paths]
        heard.append(Loudness()(torch.stack(waves)).flatten(0, 1))
    assert rows["generated"] == pytest.approx(frechet_distance(*heard), rel=1e-3)
    assert "Frechet distance by loudness.pt" in said


def test_a_prompt_is_kept_and_continued(run, place, tiny_models, tmp_path) -> None:
    exp = train(place, tiny_models / "codec", RECIPE / "conf/lm.yaml")
    heard = []
    for seed in (1, 2):
        out = tmp_path / f"{seed}.wav"
        words = ("--prompt", place / "7.wav", "--prompt_seconds", 0.2, "--steps", 2, "--seed", seed, "-o", out)
        assert run("sound", "generate", exp, *words)[0] == 0
        heard.append(read_audio(out)[0])
    # Frames of the prompt sound alike whatever follows them; a decoder's window reaches a little ahead.
    assert (heard[0][:2000] == heard[1][:2000]).all() and (heard[0][-2000:] - heard[1][-2000:]).abs().max() > 1e-4


def test_mistakes_are_named_and_leave_nothing(run, place, tiny_models, tmp_path) -> None:
    codec, conf = tiny_models / "codec", RECIPE / "conf"
    flow, codes = train(place, codec, conf / "sound.yaml"), train(place, codec, conf / "valle.yaml", "valle")
    told = train(place, codec, conf / "sound.yaml", "told", "task.unknown=0")
    raster = train(place, codec, conf / "lm.yaml", "lm")
    out, made = ("-o", tmp_path / "out.wav"), ("train", conf / "sound.yaml", "--exp", tmp_path / "out")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/sounds.npz").write_bytes(b"PK not a file")
    data = [f"--set={one}" for one in changes(place, "dump/units")]
    units = SoundUnits.read(place / "dump/units/dev")
    shorter = units.latents[:, :12], np.minimum(units.frames, 12), units.labels, units.names
    SoundUnits(*shorter, units.codec, units.source).write(tmp_path / "shorter")
    for words, line in [
        (("sound", "generate", flow, "--label", "sevn", *out), "'sevn' is not known; known: low, seven"),
        (("sound", "generate", flow, "--label", "x", *out), "known: low, seven"),
        (("sound", "generate", flow, "--steps", 0, *out), "at least 1"),
        (("sound", "generate", flow, "--guidance", "inf", *out), "guidance must be a finite number, not inf"),
        (("sound", "generate", flow, "--solver", "ddim", *out), "euler and midpoint"),
        (("sound", "generate", codes, "--steps", 4, *out), "draws in one pass"),
        (("sound", "generate", codes, "--order_steps", 4, *out), "fixed number of steps"),
        (("sound", "generate", told, "--guidance", 2, *out), "labels were withheld"),
        (("sound", "generate", flow, "--prompt", place / "7.wav", "--prompt_seconds", 0.2, *out), "use order: raster"),
        (("sound", "generate", raster, "--prompt", place / "7.wav", *out), "give fewer --prompt_seconds"),
        (("sound", "generate", place / "exp/classifier", *out), "is no generator of sounds"),
        (("sound", "generate", flow, "-o", tmp_path / "out.txt"), "name a .wav"),
        (("image", "generate", flow, "-o", tmp_path / "out.png"), "is no generator of images"),
        (("image", "generate-set", flow, "--out", tmp_path / "out"), "is no generator of images"),
        (("image", "score", "made", "--test", "t", "--classifier", "c", "--model", flow), "is no generator of images"),
        (("image", "invert", flow, "a.png", "--name", "mine", "--out", tmp_path / "out"), "is no generator of images"),
        (("dump", "sounds", place / "dump/train", tmp_path / "out", "--label", "pitch"), "has no label 'pitch'"),
        (("dump", "sounds", place / "dump/train", tmp_path / "out", "--codec", "listener-16k"), "is no codec"),
        ((*made, *data), "made by another codec than speech-16k"),
        (
            (*made, *data, f"--set=tokenizer={codec}", f"--set=data.dev={tmp_path / 'shorter'}"),
            "shorter: sounds of 12 frames, but those of training have 22",
        ),
        ((*made, f"--set=tokenizer={codec}", f"--set=data.train={tmp_path / 'broken'}"), "no readable dump of sounds"),
        ((*made, f"--set=tokenizer={codec}", "--set=data.train=nowhere"), "dump sounds"),
        ((*made, *data, f"--set=tokenizer={codec}", "--set=model.tokenizer.patch=4"), "does not divide 22 frames"),
        (
            (*made, *data, f"--set=tokenizer={codec}", "--set=model.order={kind: levels}"),
            "there are not several; use order: raster",
        ),
        (
            ("train", conf / "valle.yaml", "--exp", tmp_path / "out", *data, f"--set=tokenizer={codec}"),
            "the codec has 3",
        ),
    ]:
        status, _, error = run(*words)
        assert status == 2 and line in error and error.count("\n") == 1, (words, error)
    assert not (tmp_path / "out.wav").exists() and not (tmp_path / "out.png").exists()
    assert not (tmp_path / "out").exists()


def test_recordings_at_another_rate_are_named_whichever_split_they_are(run, place, spoken_dir, tmp_path) -> None:
    write_shards(DataDir.read(spoken_dir), tmp_path / "slow", 8000)
    words = ("train", RECIPE / "conf/scorer/classifier.yaml", "--exp", tmp_path / "out")
    for split in ("train", "dev"):
        data = {"data.train": place / "dump/train", "data.dev": place / "dump/dev", f"data.{split}": tmp_path / "slow"}
        status, _, error = run(*words, *(f"--set={key}={value}" for key, value in data.items()))
        assert status == 2 and "slow: is not at the model's 16000 Hz" in error, error


def test_unit_dumps_come_back_as_they_went(tmp_path) -> None:
    latents = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float16)
    written = SoundUnits(latents, np.array([4, 2, 1]), np.array([0, 2, 1]), ["a", "b", "c"], "f00", "mine")
    written.write(tmp_path / "dump")
    read = SoundUnits.read(tmp_path / "dump")
    assert np.array_equal(read.latents, latents) and read.frames.tolist() == [4, 2, 1]
    assert (read.names, read.codec, read.source) == (["a", "b", "c"], "f00", "mine")
    fewer = read.with_names(["c", "a"])
    assert fewer.labels.tolist() == [1, 0] and np.array_equal(fewer.latents, latents[:2])
