"""Texts of a folder of recordings in one table: what is understood, what is missing, and how a table is begun."""

import numpy as np
import pytest
import soundfile

from speechgen.data.kaldi import DataDir
from speechgen.data.transcripts import Row, read_transcripts


@pytest.fixture
def mine(tmp_path):
    """Twelve short recordings, half of them in a folder of their own."""
    for number in range(12):
        path = tmp_path / "mine" / ("more" if number % 2 else "") / f"{number:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.sin(np.arange(16000) / (9 + number)), 16000)
    return tmp_path / "mine"


def names(mine):
    return [f"{'more/' if number % 2 else ''}{number:02d}.wav" for number in range(12)]


def imported(out):
    found = [one for split in ("train", "dev", "test") for one in DataDir.read(out / split).utterances]
    return sorted(found, key=lambda one: one.path.name)


@pytest.mark.parametrize(
    "divider, header, named",
    [
        ("\t", ["file", "text"], lambda name: name),
        (",", ["Sentence", "Path"], lambda name: name),
        (";", ["wav", "transcript"], lambda name: name.removesuffix(".wav")),
        ("|", None, lambda name: name.removesuffix(".wav").removeprefix("more/")),
    ],
)
def test_a_table_of_texts_is_understood(run, mine, tmp_path, divider, header, named):
    rows = [[named(name), f"Sentence {number}."] for number, name in enumerate(names(mine))]
    if header and header[0] == "Sentence":
        rows = [row[::-1] for row in rows]
    lines = [divider.join(row) for row in ([header] if header else []) + rows]
    (mine / "texts.csv").write_text("\ufeff" + "\r\n".join(lines) + "\n\n", encoding="utf-8")
    status, said, told = run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")
    assert status == 0, told
    assert [one.text for one in imported(tmp_path / "out")] == [f"Sentence {number}." for number in range(12)]
    assert {one.speaker for one in imported(tmp_path / "out")} == {"mine", "more"}


def test_quotes_speakers_and_languages(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text('file,text,speaker,language\na.wav,"Yes, ""really"".",kim,en\nb.wav,Nein.,,de\n', encoding="utf-8")
    assert read_transcripts(table) == {"a.wav": Row('Yes, "really".', "kim", "en"), "b.wav": Row("Nein.", "", "de")}


def test_a_speaker_of_the_table_counts_more_than_the_folder(run, mine, tmp_path):
    lines = ["file\ttext\tspeaker\tlanguage", *(f"{name}\tSatz {name[-6:-4]}.\tkim lee\tde" for name in names(mine))]
    (mine / "transcripts.tsv").write_text("\n".join(lines), encoding="utf-8")
    assert run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")[0] == 0
    found = imported(tmp_path / "out")
    assert {(one.speaker, one.language) for one in found} == {("kim_lee", "de")}
    assert all(one.id.startswith("kim_lee-") for one in found)


def test_transcripts_are_begun_kept_and_added_later(run, mine, tmp_path):
    status, said, _ = run("data", "transcripts", mine)
    assert status == 0 and "12 recordings, 12 of them new, 12 without a text" in said
    status, _, told = run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")
    assert status == 2 and "has no 00.txt" in told and "transcripts.tsv" in told
    table = mine / "transcripts.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file\ttext" and {line.strip() for line in lines[1:]} == set(names(mine))
    table.write_text("\n".join([lines[0], *(f"{line}Said {line[-7:-5]}." for line in lines[1:9])]), encoding="utf-8")
    status, said, _ = run("data", "transcripts", mine)
    assert status == 0 and "12 recordings, 4 of them new, 4 without a text" in said
    status, said, _ = run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")
    assert status == 0 and "4 recordings have no text yet and are left out" in said
    assert len(imported(tmp_path / "out")) == 8 and all(one.text for one in imported(tmp_path / "out"))


def test_a_row_without_its_recording_is_named_by_the_check(run, mine, tmp_path):
    lines = [f"{name}|Sentence {number}." for number, name in enumerate([*names(mine), "gone.wav"])]
    (mine / "texts.csv").write_text("\n".join(lines), encoding="utf-8")
    assert run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")[0] == 0
    said = [run("data", "check", tmp_path / "out" / split)[1] for split in ("train", "dev", "test")]
    assert sum("bad: mine-gone.wav" in report for report in said) == 1


@pytest.mark.parametrize(
    "content, told",
    [
        ("", "is empty"),
        ("just one column\n", "names no columns 'file' and 'text'"),
        ("file\tspeaker\na.wav\tkim\n", "names no columns 'file' and 'text'"),
        ("file\ttext\n00.wav\n", "line 2: 1 cells, and file and text are needed"),
        ("file\ttext\n00.wav\ta\n00.wav\tb\n", "line 3: 00.wav is there twice"),
    ],
)
def test_a_table_that_cannot_be_understood_is_told(run, mine, tmp_path, content, told):
    (mine / "transcripts.tsv").write_text(content, encoding="utf-8")
    status, _, err = run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")
    assert status == 2 and told in err and err.count("\n") == 1


def test_two_tables_or_two_files_of_one_name_are_told(run, mine, tmp_path):
    (mine / "a.csv").write_text("00|a")
    (mine / "b.csv").write_text("00|a")
    status, _, err = run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")
    assert status == 2 and "holds several tables (a.csv, b.csv)" in err
    (mine / "b.csv").unlink()
    (mine / "more" / "00.wav").write_bytes((mine / "00.wav").read_bytes())
    (mine / "a.csv").write_text("file|text\n00|a\n")
    status, _, err = run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")
    assert status == 2 and "give its folder, too" in err


def test_directories_are_combined_without_repeating_an_utterance(run, corpus, mine, tmp_path):
    (mine / "texts.csv").write_text("\n".join(f"{name}|Sentence {name}" for name in names(mine)))
    assert run("data", "import", "folder", "--corpus", mine, "--out", tmp_path / "out")[0] == 0
    status, said, told = run("data", "combine", tmp_path / "all", tmp_path / "out/train", corpus / "set")
    parts = [len(DataDir.read(one).utterances) for one in (tmp_path / "out/train", corpus / "set")]
    assert status == 0 and f"{sum(parts)} utterances" in said, told
    joined = DataDir.read(tmp_path / "all").utterances
    assert all(one.path.exists() for one in joined) and len(joined) == sum(parts)
    status, _, told = run("data", "combine", tmp_path / "twice", corpus / "set", corpus / "set")
    assert status == 2 and "is in two of the directories" in told and not (tmp_path / "twice").exists()
