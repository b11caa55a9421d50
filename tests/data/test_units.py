"""Dumps of units: what is written is read back, damage is named, nothing half-made appears."""

from dataclasses import replace

import numpy as np
import pytest

from speechgen.data import units as module
from speechgen.data.units import DONE, Units, read_units, write_units
from speechgen.errors import UserError


def some(count: int = 5, codebooks: int = 3) -> list[Units]:
    draw = np.random.default_rng(0)
    made = []
    for number in range(count):
        durations = draw.integers(1, 4, 6).astype(np.int32)
        frames = int(durations.sum())
        latents = draw.normal(size=(frames, 4)).astype(np.float16)
        codes = draw.integers(0, 8, (frames, codebooks)).astype(np.int16)
        symbols = [" ", "a", "ʒ", "tʃ", "b", " "]
        made.append(Units(f"über/{number}", "s", "de", "Ein Text.", 50.0, symbols, durations, latents, codes))
    return made


def assert_same(one: Units, other: Units) -> None:
    for name, value in vars(one).items():
        assert np.array_equal(value, getattr(other, name)), name


@pytest.mark.parametrize("codebooks", [3, 0])
def test_a_round_trip_over_several_shards(codebooks, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 2)
    written = some(codebooks=codebooks)
    assert write_units(tmp_path / "units", iter(written), {"codec": "abc"}) == 5
    read = read_units(tmp_path / "units")
    assert len(read) == 5 and len(list((tmp_path / "units").glob("*.safetensors"))) == 3
    for one, other in zip(written, read):
        assert_same(one, other)
    assert read[0].frames == len(read[0].latents) == read[0].durations.sum()
    assert read[0].seconds == read[0].frames / 50
    assert '"codec": "abc"' in (tmp_path / "units" / DONE).read_text()


@pytest.mark.parametrize("text", ["line\u2028separator", "next\x85line", 'quotes " and \\', "emoji 🎙"])
def test_any_text_survives(text, tmp_path):
    write_units(tmp_path / "units", [replace(some(1)[0], text=text), *some(2)[1:]], {})
    assert [one.text for one in read_units(tmp_path / "units")] == [text, "Ein Text."]


def test_an_older_dump_is_replaced_and_nothing_else(tmp_path):
    write_units(tmp_path / "units", some(5), {})
    write_units(tmp_path / "units", some(2), {})
    assert len(read_units(tmp_path / "units")) == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something that is no dump of units"):
        write_units(tmp_path / "mine", some(1), {})
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_an_interrupted_dump_leaves_the_older_one(tmp_path):
    write_units(tmp_path / "units", some(5), {})

    def interrupted():
        yield some(1)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_units(tmp_path / "units", interrupted(), {})
    assert len(read_units(tmp_path / "units")) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["units"]


def test_nothing_to_dump(tmp_path):
    with pytest.raises(UserError, match="nothing to dump"):
        write_units(tmp_path / "units", [], {})
    assert not (tmp_path / "units").exists()


def test_a_missing_or_unfinished_dump(tmp_path):
    with pytest.raises(UserError, match="is no finished dump; make it with 'speechgen dump units"):
        read_units(tmp_path / "units")
    write_units(tmp_path / "units", some(1), {})
    (tmp_path / "units" / DONE).unlink()
    with pytest.raises(UserError, match="is no finished dump"):
        read_units(tmp_path / "units")


@pytest.mark.parametrize("name", ["units.000000.safetensors", "units.000000.jsonl"])
@pytest.mark.parametrize("content", [b"", b"{}\n", b"[1]\n", b"\xff\xfe"])
def test_damage_is_named(name, content, tmp_path):
    write_units(tmp_path / "units", some(2), {})
    (tmp_path / "units" / name).write_bytes(content)
    with pytest.raises(UserError, match="units.000000: damaged; delete .* and dump again"):
        read_units(tmp_path / "units")


def test_an_utterance_without_its_arrays(tmp_path):
    write_units(tmp_path / "units", some(2), {})
    path = tmp_path / "units" / "units.000000.jsonl"
    path.write_text(path.read_text().replace("über/1", "über/7"))
    with pytest.raises(UserError, match="damaged"):
        read_units(tmp_path / "units")
