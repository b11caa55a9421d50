"""The command line in this process, and a small data directory of three corpora and two languages."""

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
