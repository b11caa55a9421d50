"""speechgen doctor: findings, advice, exit status."""

import shutil

import pytest
import torchaudio
import typer
from typer.testing import CliRunner

from speechgen.cli import app, doctor
from speechgen.cli.doctor import Finding


def found(findings, what: str) -> Finding:
    return next(finding for finding in findings if finding.what == what)


def test_this_machine_passes() -> None:
    shown = CliRunner().invoke(app, ["doctor"], terminal_width=200)
    assert shown.exit_code == 0, shown.output
    for what in ("Python", "torch and torchaudio", "GPU", "starter-tts", "opusenc", "cores", "memory", "free disk"):
        assert what in shown.output
    assert shown.output.endswith("all that is required works\n")


def test_something_required_that_is_broken_fails(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    broken = Finding("the floor", "missing", "stand elsewhere", required=True)
    for checks in ("packages", "extras", "models", "tools"):
        monkeypatch.setattr(doctor, checks, lambda: iter([Finding("the roof", "there")]))
    monkeypatch.setattr(doctor, "machine", lambda: iter([broken]))
    with pytest.raises(typer.Exit) as exit_:
        doctor.doctor()
    assert exit_.value.exit_code == 1
    assert capsys.readouterr().out.endswith("broken: the floor\n")


def test_a_torchaudio_of_another_build_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchaudio, "__version__", "2.9.0")
    pair = found(doctor.packages(), "torch and torchaudio")
    assert pair.state == "broken" and "from one index" in pair.advice


def test_missing_programs_come_with_the_package_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    opus = found(doctor.tools(), "opusenc")
    assert (opus.state, opus.advice) == ("optional", "apt-get install opus-tools")


def test_missing_requirements_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "torch==1.0.*",
        "no-such-package>=2",
        "pesq-of-old; extra == 'eval'",
        "numpy",
        "tomli; python_version < '3'",
    ]
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: lines)
    assert doctor.unmet("") == ["torch==1.0.*", "no-such-package>=2"]
    assert doctor.unmet("eval") == ["pesq-of-old"]
    assert doctor.unmet("dev") == []


def test_a_model_that_cannot_be_read_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SHIPPED", ("no-such-model",))
    assert next(doctor.models()).state == "broken"


def test_little_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOW_DISK", float("inf"))
    assert found(doctor.machine(), "free disk here").advice.startswith("make room")
