"""The verbs say and voice, as a user types them."""

import io
import sys
from pathlib import Path

import pytest
import torch

import speechgen.cli
from speechgen.audio.files import read_audio, write_audio
from speechgen.models.voice import Voice
from speechgen.serving import voices

QUICK = ("--steps", "1", "--guidance", "1")


class Shell:
    """Runs the command line in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: object, status: int = 0, stdin: bytes = b"") -> tuple[str, str]:
        self.monkeypatch.setattr(sys, "argv", ["speechgen", *map(str, words)])
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit_:
            speechgen.cli.main()
        out, err = self.capsys.readouterr()
        assert exit_.value.code == status, err
        return out, err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture
def tts(tiny_models: Path) -> Path:
    return tiny_models / "tts"


def test_a_prompt_speaks(shell: Shell, tts: Path, prompt_file: Path, tmp_path: Path) -> None:
    out, err = shell("say", "The lazy dog.", "--prompt", prompt_file, "--model", tts, *QUICK, "-o", tmp_path / "a.wav")
    wave, rate = read_audio(tmp_path / "a.wav")
    assert rate == 16000 and wave.square().mean().sqrt() > 1e-3
    assert out.startswith(f"{tmp_path / 'a.wav'}: {len(wave) / rate:.2f} s, seed 0\n")
    assert "x real time, first audio after" in out and err == ""


def test_text_comes_from_the_line_a_file_or_standard_input(
    shell: Shell, tts: Path, prompt_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("The lazy dog.", encoding="utf-8-sig")
    common = ("--prompt", prompt_file, "--model", tts, *QUICK, "-o")
    shell("say", "The lazy dog.", *common, tmp_path / "line.wav")
    shell("say", "--file", tmp_path / "text.txt", *common, tmp_path / "file.wav")
    shell("say", "-", *common, tmp_path / "stdin.wav", stdin=b"The lazy dog.\n")
    files = [(tmp_path / name).read_bytes() for name in ("line.wav", "file.wav", "stdin.wav")]
    assert files[0] == files[1] == files[2]


def test_takes_are_numbered_files(shell: Shell, tts: Path, prompt_file: Path, tmp_path: Path) -> None:
    out, _ = shell(
        "say", "The dog.", "--prompt", prompt_file, "--model", tts, *QUICK, "--seed", 7, "--takes", 2,
        "-o", tmp_path / "a.flac",
    )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1.flac", "a-2.flac"]
    assert "seed 7" in out and "seed 8" in out


def test_a_voice_is_exported_listed_and_spoken_in(
    shell: Shell, tts: Path, prompt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ann.voice"
    shell("voice", "export", prompt_file, "-o", file, "--model", tts, "--source", "a test", "--licence", "CC0")
    assert Voice.load(file).facts == {"name": "ann", "source": "a test", "licence": "CC0"}
    shell("say", "The dog.", "--prompt", prompt_file, "--model", tts, *QUICK, "-o", tmp_path / "prompt.wav")
    shell("say", "The dog.", "--voice", file, "--model", tts, *QUICK, "-o", tmp_path / "voice.wav")
    assert (tmp_path / "prompt.wav").read_bytes() == (tmp_path / "voice.wav").read_bytes()

    monkeypatch.setattr(voices, "VOICES", tmp_path)
    assert shell("voice", "list")[0] == "ann: en, a test, CC0\n"
    shown, _ = shell("voice", "info", "ann")
    assert "licence: CC0" in shown and "transcript: not known" in shown
    shell("say", "The dog.", "--voice", "ann", "--model", tts, *QUICK, "-o", tmp_path / "named.wav")
    assert (tmp_path / "named.wav").read_bytes() == (tmp_path / "voice.wav").read_bytes()


def test_without_a_prompt_the_shipped_voice_speaks_if_it_fits_the_model(
    shell: Shell, tts: Path, prompt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "VOICES", tmp_path)
    common = ("say", "The dog.", "--model", tts, *QUICK, "-o")
    _, told = shell(*common, tmp_path / "none.wav")
    assert told.startswith("warning: the voice kathleen is not for this model") and told.count("\n") == 1
    shell("voice", "export", prompt_file, "-o", tmp_path / "kathleen.voice", "--model", tts)
    assert shell(*common, tmp_path / "shipped.wav")[1] == ""
    shell(*common, tmp_path / "named.wav", "--voice", "kathleen")
    files = [(tmp_path / name).read_bytes() for name in ("none.wav", "shipped.wav", "named.wav")]
    assert files[0] != files[1] == files[2]


def test_the_guard_tells_what_it_rejected_unless_it_is_off(shell: Shell, tts: Path, tmp_path: Path) -> None:
    common = ("say", "The dog. [Fox](/fɑːks/), jump!", "--model", tts, *QUICK, "-o", tmp_path / "a.wav")
    out, _ = shell(*common, "--retries", 1)  # a listener of random weights recognises nothing
    (line,) = [line for line in out.splitlines() if line.startswith("guard: ")]
    assert line.startswith("guard: failed after 2 tries (") and "The dog. Fox, jump!" in line
    assert "guard:" not in shell(*common, "--no-guard")[0]


def test_faults_of_the_prompt_are_warnings(shell: Shell, tts: Path, prompt_file: Path, tmp_path: Path) -> None:
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
        (["Dog.", "--temperature", "nan", "-o", "a.wav"], "temperature = nan"),
        (["Dog.", "--takes", "0", "-o", "a.wav"], "--takes"),
        (["Dog."], "--out"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], hint: str, shell: Shell, tts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, err = shell("say", *words, "--model", tts, status=2)
    assert err.startswith("speechgen: error: ") and err.count("\n") == 1 and hint in err
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_no_voice_is_one_line(shell: Shell, tiny_models: Path, tmp_path: Path) -> None:
    _, err = shell("say", "Dog.", "--model", tiny_models / "codec", "-o", tmp_path / "a.wav", status=2)
    assert "is a codec" in err
    _, err = shell("say", "Dog.", "--model", "starter-tss", "-o", tmp_path / "a.wav", status=2)
    assert "starter-tss: no model of that name" in err


def test_text_that_is_not_utf_8_is_one_line(shell: Shell, tts: Path, tmp_path: Path) -> None:
    _, err = shell("say", "-", "--model", tts, "-o", tmp_path / "a.wav", status=2, stdin=b"\xff\xfe\xff")
    assert "standard input: not UTF-8" in err


def test_consent_is_asked_for_in_the_help(shell: Shell) -> None:
    for verb in (["say"], ["voice", "export"], ["demo"]):
        assert "consent" in shell(*verb, "--help")[0]
