"""`speechgen dump audio`: a data directory as shards and back."""

import numpy as np
import pytest
import soundfile
from lhotse import CutSet

from speechgen.data import shards
from speechgen.data.kaldi import DataDir
from speechgen.data.shards import read_done, read_shards, write_shards
from speechgen.errors import UserError


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_dumped_is_read_back(corpus, tmp_path):
    data_dir = DataDir.read(corpus / "set")
    dumped = write_shards(data_dir, tmp_path / "dump", 16000, shard_size=3)
    examples = read_shards(tmp_path / "dump")
    assert [one.id for one in examples] == [one.id for one in data_dir.utterances]
    for example, utterance in zip(examples, data_dir.utterances):
        audio, rate = soundfile.read(utterance.path, dtype="int16")
        assert (example.text, example.speaker, example.language) == (utterance.text, utterance.speaker, "en")
        assert example.sample_rate == rate and example.audio.dtype == np.int16
        assert np.array_equal(example.audio, audio)
    assert dumped.utterances == 8 and dumped.skipped == {}
    assert dumped.seconds == pytest.approx(sum(one.seconds for one in examples))
    assert len(list((tmp_path / "dump").glob("recording.*.tar"))) == 3


def test_a_dump_is_lhotse_shar(corpus, tmp_path):
    write_shards(DataDir.read(corpus / "set"), tmp_path / "dump", 8000)
    cuts = list(CutSet.from_shar(in_dir=str(tmp_path / "dump")))
    assert [cut.sampling_rate for cut in cuts] == [8000] * 8
    assert cuts[0].load_audio().shape == (1, cuts[0].num_samples)
    assert cuts[0].supervisions[0].custom == {"spk2gender": "f", "utt2score": "0"}


def test_recordings_are_resampled_and_mixed_to_one_channel(corpus, tmp_path):
    time = np.arange(48000) / 48000
    stereo = np.stack([np.sin(2 * np.pi * 500 * time), np.zeros(48000)], 1) * 0.5
    soundfile.write(corpus / "audio" / "amy-000.wav", stereo, 48000)
    write_shards(DataDir.read(corpus / "set"), tmp_path / "dump", 16000)
    audio = read_shards(tmp_path / "dump")[0].audio / 32768
    expected = 0.25 * np.sin(2 * np.pi * 500 * np.arange(16000) / 16000)
    assert len(audio) == 16000 and np.abs(audio - expected)[200:-200].max() < 2e-3


def test_the_same_input_gives_the_same_bytes_in_any_number_of_processes(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("speechgen.data.parallel.CHUNK", 4)
    data_dir = DataDir.read(corpus / "set")
    write_shards(data_dir, tmp_path / "one", 16000)
    write_shards(data_dir, tmp_path / "two", 16000, jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_ids_with_dots_slashes_and_other_letters_survive(corpus, tmp_path):
    ids = ["a.b", "a.b.flac", "speaker/1", "über-🎙", "x" * 200]
    data_dir = DataDir.read(corpus / "set")
    renamed = [shards.Utterance(id, *list(vars(u).values())[1:]) for id, u in zip(sorted(ids), data_dir.utterances)]
    write_shards(DataDir(renamed, corpus), tmp_path / "dump", 16000)
    assert sorted(one.id for one in read_shards(tmp_path / "dump")) == sorted(ids)


def test_bad_recordings_are_left_out_and_told(corpus, tmp_path):
    (corpus / "audio" / "bob-002.wav").write_bytes(b"")
    told = []
    dumped = write_shards(
        DataDir.read(corpus / "set"), tmp_path / "dump", 16000, on_utterance=lambda id, why: told.append((id, why))
    )
    assert dumped.utterances == 7 and set(dumped.skipped) == {"bob-002"} and "is empty" in dumped.skipped["bob-002"]
    assert len(told) == 8 and [id for id, why in told if why] == ["bob-002"]
    assert read_done(tmp_path / "dump")["skipped"] == dumped.skipped
    assert "bob-002" not in [one.id for one in read_shards(tmp_path / "dump")]


def test_an_interrupted_dump_leaves_the_older_one_and_no_rest(corpus, tmp_path):
    data_dir = DataDir.read(corpus / "set")
    write_shards(data_dir, tmp_path / "dumps" / "one", 16000)
    before = contents(tmp_path / "dumps" / "one")

    def interrupt(id, reason):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(data_dir, tmp_path / "dumps" / "one", 8000, on_utterance=interrupt)
    assert contents(tmp_path / "dumps" / "one") == before
    assert [path.name for path in (tmp_path / "dumps").iterdir()] == ["one"]


def test_a_dump_replaces_a_dump_and_nothing_else(corpus, tmp_path):
    data_dir = DataDir.read(corpus / "set")
    write_shards(data_dir, tmp_path / "dump", 16000)
    write_shards(data_dir, tmp_path / "dump", 8000)
    assert read_done(tmp_path / "dump")["sample_rate"] == 8000
    with pytest.raises(UserError, match="no dump"):
        write_shards(data_dir, corpus, 16000)
    assert (corpus / "set" / "text").exists()


def test_an_unfinished_dump_is_refused(corpus, tmp_path):
    write_shards(DataDir.read(corpus / "set"), tmp_path / "dump", 16000)
    (tmp_path / "dump" / "cuts.done.json").unlink()
    with pytest.raises(UserError, match="no finished dump.*speechgen dump audio"):
        read_shards(tmp_path / "dump")


@pytest.mark.parametrize("damage", ["missing shard", "garbage", "cut"])
def test_a_damaged_dump_is_told_in_one_line(corpus, tmp_path, damage):
    write_shards(DataDir.read(corpus / "set"), tmp_path / "dump", 16000, shard_size=4)
    last = tmp_path / "dump" / "recording.000001.tar"
    if damage == "garbage":
        last.write_bytes(b"no tar" * 1000)
    elif damage == "cut":
        last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    else:
        last.unlink()
        (tmp_path / "dump" / "cuts.000001.jsonl").unlink()
    with pytest.raises(UserError, match="dump: is damaged.*dump it again"):
        read_shards(tmp_path / "dump")


def test_the_verb_dumps_and_counts(run, corpus, tmp_path):
    status, out, err = run("dump", "audio", corpus / "set", tmp_path / "dump", "--sample_rate", "8000")
    assert status == 0 and "8 utterances" in out and "0 skipped" in out and err == ""
    assert {one.sample_rate for one in read_shards(tmp_path / "dump")} == {8000}
