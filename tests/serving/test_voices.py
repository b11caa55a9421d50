"""Voices by name and by file."""

from pathlib import Path

import pytest
import torch

from speechgen.errors import UserError
from speechgen.models.voice import Voice
from speechgen.serving import voices


def make(name: str) -> Voice:
    return Voice(torch.randn(5, 8), torch.arange(5), "en", "0123456789ab", {"name": name}, ["a", "b", "c", "d"])


def test_shipped_voices_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "VOICES", tmp_path)
    for name in ("tom", "ann"):
        make(name).save(tmp_path / f"{name}.voice")
    assert voices.shipped_voices() == ["ann", "tom"]
    found = voices.find_voice("ann")
    assert (found.facts, found.alphabet, found.language) == ({"name": "ann"}, ["a", "b", "c", "d"], "en")
    assert torch.equal(found.symbols, torch.arange(5))
    with pytest.raises(UserError, match="did you mean 'ann'"):
        voices.find_voice("anne")


def test_a_voice_is_found_by_its_file(tmp_path: Path) -> None:
    make("eve").save(tmp_path / "eve.voice")
    assert voices.find_voice(tmp_path / "eve.voice").facts["name"] == "eve"


def test_a_file_that_is_no_voice_is_refused(tmp_path: Path) -> None:
    make("eve").save(tmp_path / "cut.voice")
    (tmp_path / "cut.voice").write_bytes((tmp_path / "cut.voice").read_bytes()[:100])
    (tmp_path / "text.voice").write_text("hello")
    bad = make("nan")
    bad.latents[2, 3] = torch.nan
    bad.save(tmp_path / "nan.voice")
    Voice(torch.zeros(0, 8), torch.zeros(0), "en", "x").save(tmp_path / "none.voice")
    for name in ("cut", "text", "nan", "none"):
        with pytest.raises(UserError, match=f"{name}.voice"):
            voices.find_voice(tmp_path / f"{name}.voice")
