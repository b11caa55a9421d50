"""A small sound data directory, and the command line to run on it."""

import sys

import numpy as np
import pytest
import soundfile

from speechgen.cli import main
from speechgen.data.kaldi import DataDir, Utterance

RATE = 16000


@pytest.fixture
def corpus(tmp_path):
    """Eight utterances by two speakers in tmp_path/corpus/set, their audio in tmp_path/corpus/audio; the folder."""
    folder = tmp_path / "corpus"
    (folder / "audio").mkdir(parents=True)
    utterances = []
    for speaker in ("amy", "bob"):
        for number in range(4):
            id = f"{speaker}-{number:03d}"
            path = folder / "audio" / f"{id}.wav"
            time = np.arange(RATE // 2 + 800 * number) / RATE
            soundfile.write(path, 0.3 * np.sin(2 * np.pi * (150 + 20 * number) * time), RATE)
            extras = {"spk2gender": "f" if speaker == "amy" else "m", "utt2score": str(number)}
            utterances.append(Utterance(id, path, f"this is number {number}", speaker, "en", extras))
    DataDir(utterances, folder).write(folder / "set")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line: run("data", "check", folder) gives (exit status, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["speechgen", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            main()
        written = capsys.readouterr()
        return exit.value.code, written.out, written.err

    return run
