"""Kaldi directories to Lhotse manifests and back, and facts about a directory."""

import gzip

import pytest
from lhotse import CutSet, RecordingSet

from speechgen.data.kaldi import DataDir, Segment, Utterance
from speechgen.data.manifests import from_lhotse, read_manifests, to_cuts, to_lhotse, write_manifests
from speechgen.errors import UserError


def same(one, other):
    return [(u.id, u.path.resolve(), u.text, u.speaker, u.language, u.extras, u.segment) for u in one.utterances] == [
        (u.id, u.path.resolve(), u.text, u.speaker, u.language, u.extras, u.segment) for u in other.utterances
    ]


def test_a_directory_survives_lhotse(corpus):
    data_dir = DataDir.read(corpus / "set")
    recordings, supervisions = to_lhotse(data_dir)
    assert same(from_lhotse(recordings, supervisions, corpus), data_dir)


@pytest.mark.parametrize("source", ["recordings and supervisions", "cuts"])
def test_a_directory_survives_the_verbs(run, corpus, tmp_path, source):
    status, out, _ = run("data", "export", corpus / "set", tmp_path / "manifests")
    assert status == 0 and "8 utterances" in out
    given = tmp_path / "manifests" if source != "cuts" else tmp_path / "manifests" / "cuts.jsonl.gz"
    status, _, _ = run("data", "import", "manifest", "--corpus", given, "--out", corpus / "back")
    assert status == 0 and same(DataDir.read(corpus / "back"), DataDir.read(corpus / "set"))
    assert (corpus / "back" / "text").read_bytes() == (corpus / "set" / "text").read_bytes()


def test_segments_survive_through_cuts(corpus, tmp_path):
    path = corpus / "audio" / "amy-003.wav"
    utterances = [
        Utterance("amy-a", path, "one", "amy", "en", {}, Segment("long", 0.0, 0.25)),
        Utterance("amy-b", path, "two", "amy", "en", {}, Segment("long", 0.25, 0.5)),
    ]
    write_manifests(DataDir(utterances, corpus), tmp_path / "manifests")
    assert same(read_manifests(tmp_path / "manifests"), DataDir(utterances, corpus))
    assert same(read_manifests(tmp_path / "manifests" / "cuts.jsonl.gz"), DataDir(utterances, corpus))


def test_cuts_load_the_audio_of_their_utterance(corpus):
    path = corpus / "audio" / "amy-003.wav"
    one = Utterance("amy-a", path, "one", "amy", "en", {}, Segment("long", 0.25, 0.5))
    (cut,) = to_cuts(DataDir([one], corpus))
    assert cut.load_audio().shape == (1, 4000) and cut.supervisions[0].text == "one"


def test_whole_files_beside_segments_become_segments(corpus):
    data_dir = DataDir.read(corpus / "set")
    recordings, supervisions = to_lhotse(data_dir)
    halved = supervisions.map(lambda one: one if one.id != "amy-000" else one.trim(0.2))
    utterances = from_lhotse(recordings, halved, corpus).utterances
    assert utterances[0].segment == Segment("amy-000", 0.0, 0.2)
    assert utterances[1].segment.start == 0 and utterances[1].segment.recording == "amy-001"
    DataDir(utterances, corpus).write(corpus / "cut")
    assert DataDir.read(corpus / "cut").utterances == utterances


def test_the_manifests_are_lhotses(corpus, tmp_path):
    write_manifests(DataDir.read(corpus / "set"), tmp_path / "m")
    assert len(list(CutSet.from_file(tmp_path / "m" / "cuts.jsonl.gz"))) == 8
    recordings = {one.id: one for one in RecordingSet.from_file(tmp_path / "m" / "recordings.jsonl.gz")}
    assert recordings["amy-001"].sampling_rate == 16000


def spoiled(folder, fault):
    if fault == "nothing there":
        return folder / "missing.jsonl.gz"
    if fault == "no manifests":
        (folder / "empty").mkdir()
        return folder / "empty"
    path = folder / "cuts.jsonl.gz"
    if fault == "not gzip":
        path.write_bytes(b"plain")
    if fault == "not json":
        path.write_bytes(gzip.compress(b"{oops\n"))
    if fault == "other json":
        path.write_bytes(gzip.compress(b'{"a": 1}\n'))
    return path


@pytest.mark.parametrize("fault", ["nothing there", "no manifests", "not gzip", "not json", "other json"])
def test_what_is_no_manifest_is_told_in_one_line(run, tmp_path, fault):
    path = spoiled(tmp_path, fault)
    status, _, err = run("data", "import", "manifest", "--corpus", path, "--out", tmp_path / "out")
    assert status == 2 and path.name in err and err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_supervision_without_recording_or_text_is_told(corpus):
    recordings, supervisions = to_lhotse(DataDir.read(corpus / "set"))
    with pytest.raises(UserError, match="amy-000: there is no recording"):
        from_lhotse(RecordingSet.from_recordings([]), supervisions, corpus)
    for one in supervisions:
        one.text = " "
    with pytest.raises(UserError, match="amy-000 has no text"):
        from_lhotse(recordings, supervisions, corpus)


def test_info_tells_what_a_directory_holds(run, corpus):
    status, out, _ = run("data", "info", corpus / "set")
    assert status == 0
    for line in ("utterances: 8", "speakers: 2", "languages: en (8)", "words: 32", "sample rates: 16000 Hz (8)"):
        assert line in out.splitlines()
    (corpus / "audio" / "amy-000.wav").write_bytes(b"")
    assert "unreadable: 1; run 'speechgen data check'" in run("data", "info", corpus / "set")[1]
