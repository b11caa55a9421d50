"""Kaldi data directories in and out."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.data.kaldi import DataDir, Segment, Utterance
from speechgen.data.tables import read_table
from speechgen.errors import UserError

# Ids without white space; texts and file names with anything printable, emoji and inner spaces too.
word = st.text(st.characters(categories=["L", "N", "P", "So"]), min_size=1, max_size=8)
words = st.lists(word, min_size=1, max_size=4).map(" ".join)
names = words.filter(lambda name: "/" not in name and not name.endswith("|") and name.strip(".") and name[0] != "~")


@settings(max_examples=60, deadline=None)
@given(
    rows=st.dictionaries(word, st.tuples(words, word, names, st.sampled_from(["en", "de"]), st.booleans()), max_size=6),
    genders=st.sampled_from(["m", "f"]),
)
def test_a_written_directory_is_read_back_equal(tmp_path_factory, rows, genders):
    root = tmp_path_factory.mktemp("corpus")
    utterances = [
        Utterance(
            id, root / name, text, speaker, language, {"spk2gender": genders} | ({"utt2score": "1"} if score else {})
        )
        for id, (text, speaker, name, language, score) in rows.items()
    ]
    DataDir(utterances, root).write(root / "set")
    back = DataDir.read(root / "set")
    assert back.utterances == sorted(utterances, key=lambda one: one.id.encode())
    assert back.root == root


def test_segments_survive_and_share_their_recording(tmp_path):
    one = Utterance("a-1", tmp_path / "long.wav", "one", "a", "en", {}, Segment("long", 0.5, 2.25))
    two = replace(one, id="a-2", text="two", segment=Segment("long", 2.25, 10.0))
    DataDir([one, two], tmp_path).write(tmp_path / "set")
    assert read_table(tmp_path / "set" / "wav.scp") == {"long": "long.wav"}
    assert DataDir.read(tmp_path / "set").utterances == [one, two]


def test_segments_and_whole_files_do_not_mix(tmp_path):
    one = Utterance("a-1", tmp_path / "a.wav", "one", "a", "en", {}, Segment("a", 0.5, 2.25))
    with pytest.raises(UserError, match="two directories"):
        DataDir([one, replace(one, id="a-2", segment=None)], tmp_path).write(tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_files_are_sorted_as_the_c_locale_sorts(tmp_path):
    ids = ["b", "B", "a-10", "a-2", "ä", "Z"]
    DataDir([Utterance(id, tmp_path / "x.wav", "t", "s", "en") for id in ids], tmp_path).write(tmp_path / "set")
    for name in ("wav.scp", "text", "utt2spk"):
        lines = (tmp_path / "set" / name).read_bytes().split(b"\n")[:-1]
        assert lines == sorted(lines) and len(lines) == 6
    assert read_table(tmp_path / "set" / "spk2utt") == {"s": "B Z a-10 a-2 b ä"}


def test_paths_inside_the_corpus_are_relative_and_others_full(corpus, tmp_path):
    assert read_table(corpus / "set" / "wav.scp")["amy-000"] == "audio/amy-000.wav"
    DataDir.read(corpus / "set").write(tmp_path / "elsewhere" / "set")
    assert read_table(tmp_path / "elsewhere" / "set" / "wav.scp")["amy-000"] == str(corpus / "audio" / "amy-000.wav")


def test_the_corpus_folder_may_lie_anywhere(corpus, tmp_path):
    (corpus / "set").rename(tmp_path / "moved")
    paths = [utterance.path for utterance in DataDir.read(tmp_path / "moved", corpus).utterances]
    assert all(path.exists() for path in paths)


def test_without_utt2lang_the_language_is_the_callers(corpus):
    (corpus / "set" / "utt2lang").unlink()
    assert {one.language for one in DataDir.read(corpus / "set", language="de").utterances} == {"de"}


def test_ids_that_look_like_numbers_stay_strings(tmp_path):
    (tmp_path / "set").mkdir()
    for name, value in (("wav.scp", "a b.wav"), ("text", "0042"), ("utt2spk", "007")):
        (tmp_path / "set" / name).write_text(f"000010011 {value}\n1e5 {value}\n")
    first, second = DataDir.read(tmp_path / "set").utterances
    assert (first.id, first.speaker, first.text, second.id) == ("000010011", "007", "0042", "1e5")
    assert first.path == tmp_path / "a b.wav"


def test_a_trusted_pipe_is_kept_as_a_command(corpus):
    scp = corpus / "set" / "wav.scp"
    scp.write_text(scp.read_text().replace("audio/amy-000.wav", "cat audio/amy-000.wav |"))
    with pytest.raises(UserError, match="amy-000 runs a command.*trust_pipes"):
        DataDir.read(corpus / "set")
    data_dir = DataDir.read(corpus / "set", trust_pipes=True)
    assert data_dir.utterances[0].pipe == "cat audio/amy-000.wav"
    data_dir.write(corpus / "again")
    assert DataDir.read(corpus / "again", trust_pipes=True).utterances == data_dir.utterances


def test_a_failed_write_keeps_the_older_directory(corpus, monkeypatch):
    data_dir = DataDir.read(corpus / "set")
    before = {path.name: path.read_bytes() for path in (corpus / "set").iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="No space left on device"):
        data_dir.write(corpus / "set")
    assert {path.name: path.read_bytes() for path in (corpus / "set").iterdir()} == before
    assert sorted(path.name for path in corpus.iterdir()) == ["audio", "set"]


@pytest.mark.parametrize(
    "place, told", [("missing", "no such folder"), ("audio", "no such file; a Kaldi data directory holds wav.scp")]
)
def test_a_folder_that_is_none_is_named(corpus, place, told):
    with pytest.raises(UserError, match=told):
        DataDir.read(corpus / place)
