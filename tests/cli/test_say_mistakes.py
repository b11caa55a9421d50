"""What the verb say tells of mistakes: one line each, and nothing written."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from speechgen.audio.files import read_audio, write_audio

QUICK = ("--steps", "1", "--guidance", "1")


def test_a_folder_in_the_way_of_parts_is_left_alone(
    shell: Callable, tts: Path, prompt_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("The lazy dog.")
    (tmp_path / "a.wav.parts").mkdir()
    (tmp_path / "a.wav.parts" / "diary.txt").write_text("mine")
    common = ("--prompt", prompt_file, "--model", tts, *QUICK)
    _, err = shell("say", "--file", tmp_path / "text.txt", *common, "-o", tmp_path / "a.wav", status=2)
    assert "is in the way" in err and (tmp_path / "a.wav.parts" / "diary.txt").exists()


def test_a_server_that_cannot_be_is_one_line(shell: Callable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        _, err = shell("serve", "--port", taken.getsockname()[1], status=2)
    assert "try another --port" in err and err.count("\n") == 1


def test_faults_of_the_prompt_are_warnings(shell: Callable, tts: Path, prompt_file: Path, tmp_path: Path) -> None:
    wave, rate = read_audio(prompt_file)
    write_audio(tmp_path / "two.wav", torch.stack([wave, wave]), rate)
    _, err = shell("say", "Dog.", "--prompt", tmp_path / "two.wav", "--model", tts, *QUICK, "-o", tmp_path / "a.wav")
    assert err.startswith(f"warning: {tmp_path / 'two.wav'}: is stereo") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["", "-o", "a.wav"], "the text is empty"),
        (["-o", "a.wav"], "give the text"),
        (["Dog.", "--file", "x.txt", "-o", "a.wav"], "give the text"),
        (["--file", "missing.txt", "-o", "a.wav"], "missing.txt: cannot be read"),
        (["Собака", "-o", "a.wav"], "Cyrillic"),
        (["Dog.", "--language", "fr", "-o", "a.wav"], "speaks de, en"),
        (["Dog.", "--prompt", "missing.wav", "-o", "a.wav"], "missing.wav"),
        (["Dog.", "--voice", "missing", "-o", "a.wav"], "missing: no voice of that name"),
        (["Dog.", "--voice", "a", "--prompt", "b", "-o", "a.wav"], "--prompt or --voice"),
        (["Dog.", "--transcript", "Dog.", "-o", "a.wav"], "--transcript"),
        (["Dog.", "-o", "a.doc"], "a.doc: cannot write .doc"),
        (["Dog.", "-o", "nowhere/a.wav"], "the folder nowhere does not exist"),
        (["Dog.", "--steps", "0", "-o", "a.wav"], "steps = 0"),
        (["Dog.", "--guidance", "nan", "-o", "a.wav"], "guidance = nan: give 0 to 10"),
        (["Dog.", "--temperature", "nan", "-o", "a.wav"], "temperature = nan"),
        (["Dog.", "--takes", "0", "-o", "a.wav"], "--takes"),
        (["Dog."], "--out"),
        (["Dog.", "--stream", "-o", "a.wav"], "--out FILE, or --stream"),
        (["Dog.", "--raw", "-o", "a.wav"], "--raw"),
        (["Dog.", "--stream", "--takes", "2"], "--takes"),
        (["Dog.", "-o", "a.wav", "--srt", "nowhere/a.srt"], "the folder nowhere does not exist"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], hint: str, shell: Callable, tts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, err = shell("say", *words, "--model", tts, status=2)
    assert err.startswith("speechgen: error: ") and err.count("\n") == 1 and hint in err
    assert not list(tmp_path.iterdir())


def test_a_test_set_is_not_begun_with_a_drawing_that_cannot_be(
    shell: Callable, tts: Path, spoken_dir: Path, tmp_path: Path
) -> None:
    _, err = shell("tts", "generate", tts, spoken_dir, "--out", tmp_path / "made", "--guidance", "inf", status=2)
    assert "guidance = inf: give 0 to 10" in err and not (tmp_path / "made").exists()


def test_a_model_that_is_no_voice_is_one_line(shell: Callable, tiny_models: Path, tmp_path: Path) -> None:
    _, err = shell("say", "Dog.", "--model", tiny_models / "codec", "-o", tmp_path / "a.wav", status=2)
    assert "is a codec" in err
    _, err = shell("say", "Dog.", "--model", "starter-tss", "-o", tmp_path / "a.wav", status=2)
    assert "starter-tss: no model of that name" in err


def test_text_that_is_not_utf_8_is_one_line(shell: Callable, tts: Path, tmp_path: Path) -> None:
    _, err = shell("say", "-", "--model", tts, "-o", tmp_path / "a.wav", status=2, stdin=b"\xff\xfe\xff")
    assert "standard input: not UTF-8" in err
