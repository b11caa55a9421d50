"""The hard list: said, stopped, gone on with, counted."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from speechgen.audio.files import read_audio
from speechgen.errors import UserError
from speechgen.evaluation.broken import broken_copies
from speechgen.evaluation.hard_list import (
    read_hard_list,
    say_hard_list,
    summary,
    write_hard_list_results,
)
from speechgen.models.lines import Drawing
from speechgen.serving.synthesiser import Synthesiser
from speechgen.text.normalise import normalise

QUICK = Drawing(steps=1, guidance=1.0)


def test_the_list_holds_what_it_promises() -> None:
    lines = read_hard_list()
    assert len(lines) == len({line.text for line in lines}) == 300
    kinds = Counter(line.kind for line in lines)
    assert set(kinds) == {"one word", "two words", "digits", "repeats", "tongue twister", "long"}
    assert min(kinds.values()) >= 40
    for line in lines:
        assert normalise(line.text, line.language)
        words = len(line.text.split())
        assert {"one word": words == 1, "two words": words == 2}.get(line.kind, True), line
        assert line.kind != "long" or 300 <= len(line.text) <= 1600
        assert line.kind != "digits" or any(character.isdigit() for character in line.text)
    assert {line.kind for line in read_hard_list(12)} == set(kinds) and len(read_hard_list(12)) == 12


def test_lines_are_said_kept_and_counted(tiny_models: Path, tmp_path: Path) -> None:
    synth = Synthesiser.load(tiny_models / "tts")
    guard = synth.guard(retries=1)
    lines = [line for line in read_hard_list() if line.kind in ("one word", "two words")][::20]
    out = tmp_path / "hard"
    first = say_hard_list(synth, None, lines[:2], out, guard, QUICK)
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("*.wav")}
    said: list[None] = []
    report = say_hard_list(synth, None, lines, out, guard, QUICK, on_line=lambda: said.append(None))
    assert len(said) == len(lines) == report["failures"]["all"]["n"] == len(list(out.glob("*.wav")))
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert {name: report["lines"][name] for name in first["lines"]} == first["lines"]
    for entry in report["lines"].values():
        wave, rate = read_audio(out / f"{entry['name']}.wav")
        assert len(wave) / rate == pytest.approx(sum(chunk["seconds"] for chunk in entry["chunks"]), abs=0.01)
    assert report["chunks"] == len(lines) and report["chunks"] <= report["tries"] <= 2 * len(lines)
    page = tmp_path / "HARD.md"
    write_hard_list_results(page, report)
    assert f"| all | {len(lines)} |" in page.read_text(encoding="utf-8")
    with pytest.raises(UserError, match="said otherwise"):
        say_hard_list(synth, None, lines, out, guard, QUICK, seed=1)
    with pytest.raises(UserError, match="something else"):
        say_hard_list(synth, None, lines, tmp_path, guard, QUICK)


def test_failures_are_counted_by_line_before_and_after() -> None:
    chunks = {
        "good": [{"tries": 1, "reasons": [], "first_reasons": []}],
        "mended": [
            {"tries": 1, "reasons": [], "first_reasons": []},
            {"tries": 2, "reasons": [], "first_reasons": ["x"]},
        ],
        "lost": [{"tries": 3, "reasons": ["x"], "first_reasons": ["y"]}],
    }
    said = [{"kind": "long", "chunks": made, "broken": [("cut short", True)]} for made in chunks.values()]
    said.append({"kind": "digits", "failed": "cannot be said"})
    counted = summary(said)
    shares = {name: (line["before"]["mean"], line["after"]["mean"]) for name, line in counted["failures"].items()}
    assert shares == {"long": (2 / 3, 1 / 3), "digits": (1, 1), "all": (3 / 4, 2 / 4)}
    assert counted["tries"] == 7 and counted["chunks"] == 4
    assert counted["caught"]["cut short"]["n"] == 3 and counted["caught"]["cut short"]["share"]["mean"] == 1


def test_copies_are_broken_as_named() -> None:
    wave, other = torch.linspace(0.1, 1, 16000), torch.zeros(16000)
    words = [(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]
    copies = broken_copies(wave, 16000, words, other, torch.Generator().manual_seed(0))
    lengths = {name: len(copy) for name, copy in copies.items()}
    assert lengths == {
        "another text": 16000, "silence": 16000, "a word twice": 20000, "a word missing": 12000,
        "a word silenced": 16000, "cut short": 8000, "a phrase twice": 20000, "foreign words": 24000,
    }  # fmt: skip
    assert int((copies["a word silenced"] == 0).sum()) == 4000 and torch.equal(copies["cut short"], wave[:8000])
    single = broken_copies(wave, 16000, words[:1], other, torch.Generator().manual_seed(0))
    assert set(single) == {"another text", "silence", "a word twice", "foreign words"}
