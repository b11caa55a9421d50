"""The face of the command line: help, mistakes, exit statuses."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import speechgen.cli
from speechgen.errors import UserError


def verbs() -> list[list[str]]:
    """Every verb as words: [["train"], ["codec", "encode"], ...]."""

    def walk(command, words: list[str]) -> list[list[str]]:
        inner = getattr(command, "commands", None)
        return [found for name, sub in inner.items() for found in walk(sub, [*words, name])] if inner else [words]

    return walk(typer.main.get_command(speechgen.cli.app), [])


def call(*words: str) -> subprocess.CompletedProcess[str]:
    program = "from speechgen.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=300)


def call_here(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["speechgen", *words])
    with pytest.raises(SystemExit) as exit_:
        speechgen.cli.main()
    return exit_.value.code


def test_all_promised_verbs_are_there() -> None:
    names = {" ".join(words) for words in verbs()}
    assert names >= {
        "train", "say", "pack", "demo", "doctor",
        "data check", "data import", "data mini", "dump audio", "dump units",
        "codec encode", "codec decode", "codec generate", "codec score", "codec eval",
        "codec ablate",
        "listener generate", "listener score", "listener align", "tts generate", "tts score",
        "bench codec", "bench training", "bench tts", "voice export", "voice list",
    }  # fmt: skip


@pytest.mark.parametrize("words", verbs(), ids=" ".join)
def test_every_verb_has_help_with_an_example(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call_here(monkeypatch, *words, "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Example: speechgen {' '.join(words)}" in shown


@pytest.mark.parametrize(("family", "made"), [("image", "images"), ("sound", "sounds"), ("video", "clips")])
def test_a_seed_is_said_to_give_what_the_verb_makes(
    family: str, made: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in ("generate", "generate-set"):
        monkeypatch.setenv("COLUMNS", "200")
        assert call_here(monkeypatch, family, verb, "--help") == 0
        assert f"The same seed gives the same {made}." in capsys.readouterr().out


@pytest.mark.parametrize("words", verbs(), ids=" ".join)
def test_options_are_spelled_with_underscores(words: list[str]) -> None:
    command = typer.main.get_command(speechgen.cli.app)
    for word in words:
        command = command.commands[word]
    names = [name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]]
    dashed = [name for name in names if "-" in name.lstrip("-").removeprefix("no-")]
    for name in dashed:  # such as --keep-partial, beside --keep_partial
        assert f"--{name[2:].replace('-', '_')}" in names


def test_help_does_not_wait_for_heavy_imports() -> None:
    program = """
import sys
from speechgen.cli import main
try:
    main()
finally:
    heavy = {"torch", "librosa", "lhotse", "gradio", "transformers", "numba", "scipy"} & set(sys.modules)
    assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["tarin"], "'train'"),
        (["codec", "evla"], "'eval'"),
        (["train", "x.yaml", "--exq", "y"], "--exp"),
        (["train", "x.yaml"], "--exp"),
        (["dump", "audio", "a", "b", "--sample_rate", "fast"], "--sample_rate"),
    ],
)
def test_wrong_usage_is_one_line_that_names_what_was_meant(words: list[str], hint: str) -> None:
    done = call(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("speechgen: error: ") and done.stderr.count("\n") == 1
    assert hint in done.stderr and "--help" in done.stderr
    assert done.stdout == ""


def test_a_users_mistake_is_one_line_and_exits_with_2() -> None:
    done = call("train", "nowhere.yaml", "--exp", "exp")
    assert (done.returncode, done.stderr) == (2, "speechgen: error: nowhere.yaml: no such config file\n")


def test_no_verb_shows_the_verbs() -> None:
    done = call()
    assert done.returncode == 2
    assert "doctor" in done.stdout and done.stderr == ""


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UserError("a.wav: is silent;\nrecord it again"), 2, "speechgen: error: a.wav: is silent; record it again\n"),
        (OSError(28, "No space left on device", "out.wav"), 2, "speechgen: error: out.wav: No space left on device\n"),
        (PermissionError(13, "Permission denied", "exp"), 2, "speechgen: error: exp: Permission denied\n"),
        (
            FileNotFoundError(2, "No such file or directory", "/proc/x"),
            2,
            "speechgen: error: /proc/x: No such file or directory\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_a_verb_that_fails_ends(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**options: object) -> None:
        raise error

    monkeypatch.setattr(speechgen.cli, "app", fail)
    assert call_here(monkeypatch) == status
    assert capsys.readouterr().err == said


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(speechgen.cli, "app", fail)
    with pytest.raises(ZeroDivisionError):
        speechgen.cli.main()


def test_the_installed_program_is_this_one() -> None:
    program = Path(sys.executable).with_name("speechgen")
    done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "doctor" in done.stdout
