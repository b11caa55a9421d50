"""`speechgen data import`: the prepare steps of the known corpora, on corpora of the same form."""

import re

import numpy as np
import pytest
import soundfile

from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.labels import chosen_labels, labels_of
from speechgen.data.shards import read_shards
from speechgen.data.splits import hold_out
from speechgen.errors import UserError


def put(folder, split, rows, **more):
    """Write a data directory by hand; rows: {id: (speaker, text)}; the audio is one short file."""
    (folder / split).mkdir(parents=True)
    (folder / "audio").mkdir(exist_ok=True)
    soundfile.write(folder / "audio" / "a.flac", 0.1 * np.ones(1600), 16000)
    tables = {
        "wav.scp": dict.fromkeys(rows, "audio/a.flac"),
        "text": {id: text for id, (_, text) in rows.items()},
        "utt2spk": {id: speaker for id, (speaker, _) in rows.items()},
        **more,
    }
    for name, table in tables.items():
        (folder / split / name).write_text("".join(f"{key} {table[key]}\n" for key in sorted(table)))


@pytest.fixture
def corpora(tmp_path):
    """The four corpora side by side, small."""
    ocean = {"000010011": ("0001", "WE CALL IT BEAR"), "000030012": ("0003", "IT'S MARK")}
    for split in ("train", "dev", "test"):
        put(tmp_path / "speechocean762", split, ocean, spk2age={"0001": "6", "0003": "9"})
    takes = {
        f"kathleen-arctic_a{number:04d}_{1592700000 + take}": ("kathleen", f"Sentence {number}, please.")
        for number in range(100)
        for take in range(1 + number % 3)
    }
    put(tmp_path / "kathleen", "train", takes)
    put(tmp_path / "kathleen", "test", {"kathleen-arctic_b0001_1": ("kathleen", "Another one.")})
    german = {f"kerstin-de_rhasspy-{number:04d}": ("kerstin", f"Satz {number // 2}.") for number in range(200)}
    put(tmp_path / "kerstin", "train", german)
    put(tmp_path / "kerstin", "test", {"kerstin-de_rhasspy-9999": ("kerstin", "Noch einer.")})
    digits = {
        f"{who}-{digit}-{take}": (who, name)
        for who in ("theo", "lucas")
        for digit, name in enumerate(("zero", "one", "two"))
        for take in range(5, 12)
    }
    put(tmp_path / "fsdd", "train", digits)
    put(tmp_path / "fsdd", "test", {"theo-0-0": ("theo", "zero")})
    return tmp_path


def read(out):
    return {split: DataDir.read(out / split).utterances for split in ("train", "dev", "test")}


def test_speechocean762_gets_lower_case_text_and_ids_that_begin_with_their_speaker(run, corpora, tmp_path):
    status, out, _ = run(
        "data", "import", "speechocean762", "--corpus", corpora / "speechocean762", "--out", tmp_path / "out"
    )
    assert status == 0 and "2 utterances, 2 speakers" in out
    first, second = read(tmp_path / "out")["train"]
    assert (first.id, first.speaker) == ("speechocean762-0001-000010011", "speechocean762-0001")
    assert first.text == "we call it bear" and second.text == "it's mark" and first.language == "en"
    assert first.extras == {"spk2age": "6"} and first.path.exists()


@pytest.mark.parametrize("name, language", [("kathleen", "en"), ("kerstin", "de")])
def test_dev_sentences_are_held_out_of_train(run, corpora, tmp_path, name, language):
    assert run("data", "import", name, "--corpus", corpora / name, "--out", tmp_path / "out")[0] == 0
    splits = read(tmp_path / "out")
    texts = {split: {one.text for one in splits[split]} for split in splits}
    assert not texts["dev"] & texts["train"]
    assert 40 <= len(splits["dev"]) <= 43 and len(splits["train"]) + len(splits["dev"]) in (199, 200)
    assert {one.language for split in splits.values() for one in split} == {language}


def test_fsdd_dev_is_held_out_by_take(run, corpora, tmp_path):
    assert run("data", "import", "fsdd", "--corpus", corpora / "fsdd", "--out", tmp_path / "out")[0] == 0
    splits = read(tmp_path / "out")
    assert {one.id.rsplit("-", 1)[1] for one in splits["dev"]} == {"5", "6", "7"}
    assert len(splits["dev"]) == 18 and len(splits["train"]) == 24 and len(splits["test"]) == 1


def test_starter_joins_three_corpora_with_unique_ids(run, corpora, tmp_path):
    status, out, _ = run("data", "import", "starter", "--corpus", corpora, "--out", tmp_path / "out")
    splits = read(tmp_path / "out")
    everything = [one for split in ("train", "dev") for one in splits[split]]
    ids = [one.id for one in everything if not one.id.startswith("speechocean762")]
    assert status == 0 and len(set(ids)) == len(ids) == 399
    assert {one.speaker for one in everything} == {
        "kathleen", "kerstin", "speechocean762-0001", "speechocean762-0003",
    }  # fmt: skip
    assert {one.language for one in everything if one.speaker == "kerstin"} == {"de"}
    assert all(one.path.exists() and one.id.startswith(one.speaker) for one in everything)
    assert run("data", "check", tmp_path / "out" / "train")[0] == 0


def test_a_second_import_gives_the_same(run, corpora, tmp_path):
    for out in ("one", "two"):
        assert run("data", "import", "starter", "--corpus", corpora, "--out", tmp_path / out)[0] == 0
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.parametrize(
    "name, corpus, told",
    [
        ("kathlen", "kathleen", "did you mean 'kathleen'"),
        ("kathleen", "nowhere", "no such folder.*kathleen's train/ and test/"),
        ("kathleen", ".", "holds no train/"),
        ("starter", "kathleen", "holds no speechocean762/.*speechocean762, kathleen, kerstin side by side"),
        ("starter", "nowhere", "side by side"),
    ],
)
def test_a_wrong_name_or_folder_is_told(run, corpora, tmp_path, name, corpus, told):
    status, _, err = run("data", "import", name, "--corpus", corpora / corpus, "--out", tmp_path / "out")
    assert status == 2 and re.search(told, err) and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_takes_whose_words_agree_stay_on_one_side(tmp_path):
    def take(id, text):
        return Utterance(id, tmp_path, text, "s", "en")

    # a1 and a2 share an id stem; a2 and b1 share their words: all three are one sentence.
    takes = [take("a-1", "One."), take("a-2", "two"), take("b-1", "Two!"), take("c-1", "three"), take("d-1", "four")]
    for count in (1, 2, 3, 4):
        train, dev = hold_out(takes, lambda one: one.id[0], count)
        assert len({one.id in ("a-1", "a-2", "b-1") for one in dev if one.id[0] in "ab"}) <= 1
        sides = {side for side, group in (("train", train), ("dev", dev)) for one in group if one.id[0] in "ab"}
        assert len(sides) == 1 and len(train) + len(dev) == 5
    shuffled = hold_out(takes[::-1], lambda one: one.id[0], 2)
    assert {one.id for one in shuffled[1]} == {one.id for one in hold_out(takes, lambda one: one.id[0], 2)[1]}


def test_a_kaldi_corpus_of_ones_own_gets_the_splits_that_it_lacks(run, corpora, tmp_path):
    (corpora / "kerstin" / "train").rename(corpora / "train")
    (corpora / "kerstin" / "audio").rename(corpora / "audio")
    status, out, _ = run("data", "import", "kaldi", "--corpus", corpora, "--language", "de", "--out", tmp_path / "out")
    splits = read(tmp_path / "out")
    assert status == 0 and [len(splits[split]) for split in ("train", "dev", "test")] == [162, 20, 18]
    assert not {one.text for one in splits["train"]} & {one.text for one in splits["dev"] + splits["test"]}
    assert {one.language for one in splits["train"]} == {"de"} and splits["train"][0].path.exists()


def test_a_folder_of_recordings_and_texts_is_a_corpus(run, tmp_path):
    for who in ("Ann Lee", "bob"):
        (tmp_path / "mine" / who / "day 1").mkdir(parents=True)
        for number in range(10):
            path = tmp_path / "mine" / who / "day 1" / f"take {number}.wav"
            soundfile.write(path, 0.1 * np.sin(np.arange(16000) / 9), 16000)
            path.with_suffix(".txt").write_text(f"\ufeffSentence {who}\nnumber {number}.\n")
    status, _, _ = run("data", "import", "folder", "--corpus", tmp_path / "mine", "--out", tmp_path / "out")
    splits = read(tmp_path / "out")
    assert status == 0 and [len(splits[split]) for split in ("train", "dev", "test")] == [14, 3, 3]
    first = min((one for split in splits.values() for one in split), key=lambda one: one.id)
    assert (first.id, first.speaker, first.text) == ("Ann_Lee-day_1-take_0", "Ann_Lee", "Sentence Ann Lee number 0.")
    assert run("data", "check", tmp_path / "out" / "train")[0] == 0


def test_a_folder_of_recordings_of_all_kinds_needs_no_texts(run, tmp_path):
    formats = {"a.wav": 44100, "b.flac": 8000, "c.mp3": 22050, "d.ogg": 48000, "long.wav": 16000}
    formats["Ann Lee/e.aiff"] = 96000
    (tmp_path / "mine/Ann Lee").mkdir(parents=True)
    for number, (name, rate) in enumerate(formats.items()):
        seconds = 45 if "long" in name else 1.5
        wave = 0.1 * np.sin(np.arange(int(seconds * rate)) * (0.05 + 0.01 * number))
        channels = np.stack([wave, wave], 1) if number % 2 else wave
        soundfile.write(tmp_path / "mine" / name, channels, rate)
    (tmp_path / "mine/notes.txt").write_text("not a recording")
    status, _, _ = run("data", "import", "recordings", "--corpus", tmp_path / "mine", "--out", tmp_path / "out")
    splits = read(tmp_path / "out")
    everything = sorted((u for split in splits.values() for u in split), key=lambda u: u.id)
    assert status == 0 and [len(splits[name]) for name in ("train", "dev", "test")] == [6, 1, 1]
    ids = ["Ann_Lee-e", "mine-a", "mine-b", "mine-c", "mine-d", *(f"mine-long-{n:05d}" for n in range(3))]
    assert [u.id for u in everything] == ids and {u.language for u in everything} == {"zxx"}
    edges = [(u.segment.start, u.segment.end) for u in everything if "long" in u.id]
    assert edges == [(0, 15), (15, 30), (30, 45)]
    for split in splits:
        status, said, told = run("data", "check", tmp_path / "out" / split, "--min_seconds", 1)
        assert status == 0 and "0 bad" in said, (said, told)
    dumped = run("dump", "audio", tmp_path / "out/train", tmp_path / "dump", "--sample_rate", 16000)
    assert dumped[0] == 0 and "6 utterances" in dumped[1]


def test_pieces_of_a_recording_stay_together(run, tmp_path):
    (tmp_path / "mine").mkdir()
    for number in range(12):
        wave = 0.1 * np.sin(np.arange(41 * 4000) * (0.05 + 0.01 * number))
        soundfile.write(tmp_path / "mine" / f"{number:02d}.flac", wave, 4000)
    (tmp_path / "mine/12.wav").write_bytes(b"no sound")
    assert run("data", "import", "recordings", "--corpus", tmp_path / "mine", "--out", tmp_path / "out")[0] == 0
    parts = {split: {u.path.name for u in utterances} for split, utterances in read(tmp_path / "out").items()}
    assert set.union(*parts.values()) == {f"{n:02d}.flac" for n in range(12)} | {"12.wav"}
    assert not parts["train"] & parts["dev"] and not parts["train"] & parts["test"] and not parts["dev"] & parts["test"]
    reports = [run("data", "check", tmp_path / "out" / split)[1] for split in parts]
    assert sum("bad: mine-12:" in report for report in reports) == 1


@pytest.mark.parametrize(
    "name, told",
    [
        ("folder", "holds no recordings"),
        ("recordings", "holds no recordings; put some there"),
        ("kaldi", "holds no train/"),
        ("folder2", "did you mean 'folder'"),
    ],
)
def test_a_folder_without_a_corpus_is_told(run, tmp_path, name, told):
    (tmp_path / "empty").mkdir()
    status, _, err = run("data", "import", name, "--corpus", tmp_path / "empty", "--out", tmp_path / "out")
    assert status == 2 and told in err and err.count("\n") == 1


def test_a_recording_without_text_is_named(run, tmp_path):
    (tmp_path / "mine").mkdir()
    for name in "abcdef":
        soundfile.write(tmp_path / "mine" / f"{name}.wav", 0.1 * np.sin(np.arange(16000) / 9), 16000)
    status, _, err = run("data", "import", "folder", "--corpus", tmp_path / "mine", "--out", tmp_path / "out")
    assert status == 2 and "a.wav has no a.txt" in err
    for name in "abcde":
        (tmp_path / "mine" / f"{name}.txt").write_text(f"sentence {name}")
    assert run("data", "import", "folder", "--corpus", tmp_path / "mine", "--out", tmp_path / "out")[0] == 0
    reports = [run("data", "check", tmp_path / "out" / split)[1] for split in ("train", "dev", "test")]
    assert sum("bad: mine-f: has no text" in report for report in reports) == 1


def notes(folder, rows):
    """A corpus of notes by hand; rows: (id, articulation, pitch)."""
    (folder / "audio").mkdir(parents=True)
    lines = ["id\tpath\tarticulation\tpitch"]
    for id, articulation, pitch in rows:
        soundfile.write(folder / "audio" / f"{id}.flac", 0.1 * np.ones(1600), 16000)
        lines.append(f"{id}\taudio/{id}.flac\t{articulation}\t{pitch}")
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n")


def test_notes_are_held_out_by_take_and_keep_their_labels(run, tmp_path):
    rows = [(f"pizz-{p}_vl1_rr{take}", "pizz", p) for p in ("a1", "c2") for take in range(20)]
    rows += [(f"pizz-perc1_rr{take}", "pizz", "") for take in range(4)]
    for take in range(6):
        rows += [(f"{way}-a1_vl{take}", way, "a1") for way in ("arco", "arco_looped")]
    notes(tmp_path / "bass", rows)
    status, out, _ = run("data", "import", "meatbass", "--corpus", tmp_path / "bass", "--out", tmp_path / "out")
    splits = read(tmp_path / "out")
    assert status == 0 and {split: len(part) for split, part in splits.items()} == {"train": 42, "dev": 7, "test": 7}
    labels = {split: {tuple(sorted(one.extras.items())) for one in part} for split, part in splits.items()}
    assert labels["test"] <= labels["train"]
    assert (("utt2articulation", "pizz"), ("utt2pitch", "none")) in labels["test"]
    takes = {split: {one.id.replace("_looped", "") for one in part} for split, part in splits.items()}
    assert not takes["train"] & (takes["dev"] | takes["test"]) and not takes["dev"] & takes["test"]
    assert all(one.path.exists() and one.id.startswith("meatbass-") for one in splits["test"])
    assert run("data", "check", tmp_path / "out" / "train")[0] == 0
    assert run("dump", "audio", tmp_path / "out" / "test", tmp_path / "dump")[0] == 0
    dumped = {one.id: chosen_labels(one, ["pitch", "articulation"]) for one in read_shards(tmp_path / "dump")}
    assert dumped == {
        one.id: {"pitch": one.extras["utt2pitch"], "articulation": one.extras["utt2articulation"]}
        for one in splits["test"]
    }


def test_clips_of_one_recording_stay_together_and_a_fold_is_for_testing(run, tmp_path):
    names = [(f"{fold}-{1000 + n}-{take}", fold) for fold in range(1, 6) for n in range(12) for take in "AB"]
    (tmp_path / "esc10/audio").mkdir(parents=True)
    for name, _ in names:
        soundfile.write(tmp_path / "esc10/audio" / f"{name}.flac", 0.1 * np.ones(1600), 16000)
    rows = [f"{name}\taudio/{name}.flac\tdog bark\t{fold}" for name, fold in names]
    (tmp_path / "esc10/labels.tsv").write_text("\n".join(["id\tpath\tlabel\tfold", *rows]) + "\n")
    assert run("data", "import", "esc10", "--corpus", tmp_path / "esc10", "--out", tmp_path / "out")[0] == 0
    splits = read(tmp_path / "out")
    assert {one.id.split("-")[1] for one in splits["test"]} == {"5"} and len(splits["test"]) == 24
    recordings = {split: {one.id[:-2] for one in part} for split, part in splits.items()}
    assert recordings["train"] and recordings["dev"] and not recordings["train"] & recordings["dev"]
    assert all(one.extras["utt2class"] == "dog bark" for part in splits.values() for one in part)
    assert run("data", "check", tmp_path / "out" / "test")[0] == 0


@pytest.mark.parametrize(
    "content, told",
    [
        (None, "labels.tsv: no such file.*holds labels.tsv and audio/"),
        ("id\tpath\tpitch\nx\taudio/x.flac\ta1\n", "expected tab-separated columns id, path, articulation, pitch"),
        ("id\tpath\tarticulation\tpitch\nx\taudio/x.flac\n", "expected tab-separated columns"),
        ("id\tpath\tarticulation\tpitch\nx\taudio/x.flac\tpizz\ta1\n", "at least 3 takes"),
    ],
)
def test_notes_without_a_usable_list_are_told(run, tmp_path, content, told):
    (tmp_path / "bass").mkdir()
    if content:
        (tmp_path / "bass/labels.tsv").write_text(content)
    status, _, err = run("data", "import", "meatbass", "--corpus", tmp_path / "bass", "--out", tmp_path / "out")
    assert status == 2 and re.search(told, err) and err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_label_that_an_utterance_lacks_is_told(tmp_path):
    kim = Utterance("kim-1", tmp_path, "Hello.", "kim", "en", {"spk2gender": "f"})
    assert labels_of(kim) == {"speaker": "kim", "language": "en", "gender": "f"}
    with pytest.raises(UserError, match="kim-1: has no label 'pitch' .*utt2pitch.*known: gender, language, speaker"):
        chosen_labels(kim, ["speaker", "pitch"])
