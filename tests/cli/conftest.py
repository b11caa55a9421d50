"""The command line in this process, a small data directory of three corpora and two languages, and dumps of tones."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechgen.cli import main
from speechgen.data.kaldi import DataDir, Utterance

SPOKEN = [
    ("kathleen", "en", "The lazy dog."),
    ("kathleen", "en", "A quick fox!"),
    ("mini01", "en", "Joy."),
    ("mini02", "de", "Zwölf Boxkämpfer."),
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, str, str]]:
    """run("listener", "score", folder) gives (exit status, stdout, stderr)."""

    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["speechgen", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        written = capsys.readouterr()
        return exit_.value.code, written.out, written.err

    return run


@pytest.fixture
def shell(run: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, str]]:
    """shell("say", "-", stdin=b"Hi.", status=2) gives (stdout, stderr) and asserts the exit status, usually 0."""

    def shell(*words: object, status: int = 0, stdin: bytes = b"") -> tuple[str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code, out, err = run(*words)
        assert code == status, err
        return out, err

    return shell


@pytest.fixture
def tts(tiny_models: Path) -> Path:
    return tiny_models / "tts"


@pytest.fixture
def spoken_dir(tmp_path: Path) -> Path:
    """A Kaldi data directory of four utterances: modulated tones of 1.5 seconds and more, with texts."""
    (tmp_path / "audio").mkdir()
    utterances = []
    for number, (speaker, language, text) in enumerate(SPOKEN):
        id = f"{speaker}-{number:02d}"
        path = tmp_path / "audio" / f"{id}.wav"
        time = np.arange(int((1.5 + 0.25 * number) * 16000)) / 16000
        wave = 0.3 * np.sin(2 * np.pi * (180 + 60 * number) * time + 3 * np.sin(7 * time)) * np.sin(4 * time) ** 2
        soundfile.write(path, wave, 16000)
        utterances.append(Utterance(id, path, text, speaker, language))
    DataDir(utterances, tmp_path).write(tmp_path / "test")
    return tmp_path / "test"


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_models: Path) -> Path:
    """dump/ of tones of two labels, their latents by a tiny codec, and exp/classifier, hardly trained."""
    from speechgen.data.shards import read_shards, write_shards
    from speechgen.models.dump_sounds import dump_sounds
    from speechgen.models.load import load
    from speechgen.training.experiment import read_experiment, run_experiment

    folder, tones, names = tmp_path_factory.mktemp("sounds"), [], ("low", "seven")
    for number in range(8):
        path = folder / f"{number}.wav"
        time = np.arange(int((0.25 + 0.04 * number) * 16000)) / 16000
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 400 * (number % 2)) * time), 16000)
        tones.append(Utterance(f"fsdd-kim-{number}", path, names[number % 2], "fsdd-kim", "en"))
    codec = load(tiny_models / "codec")
    for split in ("train", "dev"):
        write_shards(DataDir(tones, folder), folder / "dump" / split, 16000)
        sounds = dump_sounds(codec, read_shards(folder / "dump" / split), 0.4, "text")
        sounds.write(folder / "dump/units" / split)
    assert sounds.latents.shape == (8, 22, 8) and sounds.names == list(names) and sounds.source == "fsdd"
    assert sounds.frames.tolist() == [13, 15, 17, 19, 20, 20, 20, 20]
    values = {"data.train": folder / "dump/train", "data.dev": folder / "dump/dev", "task.batch": 4}
    values |= {"model.seconds": 0.4, "model.width": 8, "model.features": 4}
    values |= {"training.steps": 3, "training.warmup": 1, "training.log_every": 1}
    recipe = Path(__file__).parents[2] / "egs/fsdd/sound/conf/scorer/classifier.yaml"
    run_experiment(
        read_experiment(recipe, [f"{key}={value}" for key, value in values.items()]), folder / "exp/classifier", "cpu"
    )
    return folder
