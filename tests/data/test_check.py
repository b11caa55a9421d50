"""`speechgen data check`: every fault of manifests and recordings is named, skipped and counted."""

import shutil

import numpy as np
import pytest
import soundfile

from speechgen.data.kaldi import DataDir


def edit(path, old, new):
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


def check(run, corpus, *options):
    return run("data", "check", corpus / "set", "--max_bad", "0.5", *options)


def test_a_sound_directory_passes(run, corpus):
    status, out, _ = check(run, corpus)
    assert status == 0 and out.endswith("set: 8 good, 0 bad, 0 warnings\n")


# Faults of single utterances: how to make one of amy-001, and what is said of it.
LINES = {
    "missing from text": (lambda s: edit(s / "text", "amy-001 this is number 1\n", ""), "missing from text"),
    "missing from wav.scp": (lambda s: edit(s / "wav.scp", "amy-001 audio/amy-001.wav\n", ""), "missing from wav.scp"),
    "missing from utt2spk": (lambda s: edit(s / "utt2spk", "amy-001 amy\n", ""), "missing from utt2spk"),
    "empty text": (lambda s: edit(s / "text", "amy-001 this is number 1", "amy-001"), "has no text"),
    "no path": (lambda s: edit(s / "wav.scp", "amy-001 audio/amy-001.wav", "amy-001 "), "wav.scp"),
    "given twice": (lambda s: edit(s / "text", "amy-001 ", "amy-001 again\namy-001 "), "given twice in text"),
    "missing file": (lambda s: (s.parent / "audio" / "amy-001.wav").unlink(), "no such file"),
    "a folder": (lambda s: edit(s / "wav.scp", "audio/amy-001.wav", "audio"), "is a folder"),
    "pipe": (lambda s: edit(s / "wav.scp", "audio/amy-001.wav", "sox audio/amy-001.wav -t wav - |"), "runs a command"),
    "control character": (
        lambda s: edit(s / "text", "amy-001 this is number 1", "amy-001 this is\x07number 1"),
        r"U+0007",
    ),
    "no-break space": (
        lambda s: edit(s / "text", "amy-001 this is number 1", "amy-001 this is\u00a0number 1"),
        r"U+00A0",
    ),
    "two speakers": (lambda s: edit(s / "utt2spk", "amy-001 amy", "amy-001 amy bob"), "more than one speaker"),
    "not UTF-8": (
        lambda s: (s / "text").write_bytes(
            (s / "text").read_bytes().replace(b"amy-001 this is number 1", b"amy-001 this is n\xfcmber 1")
        ),
        "not UTF-8",
    ),
}


@pytest.mark.parametrize("fault", LINES)
def test_an_utterance_with_a_faulty_line_is_named_skipped_and_counted(run, corpus, tmp_path, fault):
    spoil, told = LINES[fault]
    spoil(corpus / "set")
    status, out, _ = check(run, corpus, "--write", tmp_path / "good")
    line = next(line for line in out.splitlines() if line.startswith("bad:"))
    assert line.startswith("bad: amy-001: ") and told in line
    assert "7 good, 1 bad" in out and status == 0
    good = DataDir.read(tmp_path / "good").utterances
    assert len(good) == 7 and "amy-001" not in {one.id for one in good}


# Faults of whole files, which Kaldi refuses and which writing anew repairs.
FILES = {
    "unsorted": (lambda s: reverse(s / "text"), "text is not sorted in the C locale: bob-002 comes after bob-003"),
    "CRLF": (lambda s: replace_bytes(s / "wav.scp", b"\n", b"\r\n"), "wav.scp has Windows line ends (CRLF)"),
    "BOM": (lambda s: replace_bytes(s / "utt2spk", b"", b"\xef\xbb\xbf", 1), "utt2spk begins with a byte order mark"),
    "empty line": (lambda s: replace_bytes(s / "text", b"\n", b"\n\n", 1), "text has empty lines"),
    "no last newline": (lambda s: strip_end(s / "text"), "text does not end with a newline"),
    "spk2utt of others": (lambda s: edit(s / "spk2utt", "amy-003", "bob-000"), "spk2utt does not agree with utt2spk"),
}


def reverse(path):
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))


def strip_end(path):
    path.write_bytes(path.read_bytes().rstrip(b"\n"))


def replace_bytes(path, old, new, count=-1):
    path.write_bytes(path.read_bytes().replace(old, new, count))


@pytest.mark.parametrize("fault", FILES)
def test_an_untidy_file_is_refused_and_repaired(run, corpus, tmp_path, fault):
    spoil, told = FILES[fault]
    spoil(corpus / "set")
    status, out, err = check(run, corpus)
    assert status == 2 and told in out and "8 good, 0 bad" in out and "--write" in err
    assert err.count("\n") == 1
    status, _, _ = check(run, corpus, "--write", corpus / "tidy")
    assert status == 0
    status, out, _ = run("data", "check", corpus / "tidy")
    assert status == 0 and "8 good, 0 bad, 0 warnings" in out


RECORDINGS = {
    "zero bytes": (lambda path: path.write_bytes(b""), "is empty"),
    "header only": (lambda path: soundfile.write(path, np.zeros(0), 16000), "no samples"),
    "text": (lambda path: path.write_text("no audio"), "no readable audio"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:9000]), "header states"),
    "nan": (lambda path: soundfile.write(path, np.full(16000, np.nan), 16000, subtype="FLOAT"), "NaN"),
    "all zero": (lambda path: soundfile.write(path, np.zeros(16000), 16000), "silent"),
    "10 ms": (lambda path: soundfile.write(path, np.ones(160) * 0.1, 16000), "lasts only 0.010 s"),
    "over-long": (lambda path: soundfile.write(path, np.ones(4000 * 130) * 0.1, 4000), "lasts 130 s"),
}


@pytest.mark.parametrize("fault", RECORDINGS)
def test_a_faulty_recording_is_named_skipped_and_counted_by_check_and_dump(run, corpus, tmp_path, fault):
    spoil, told = RECORDINGS[fault]
    spoil(corpus / "audio" / "amy-001.wav")
    status, out, _ = check(run, corpus)
    assert status == 0 and "7 good, 1 bad" in out
    assert next(line for line in out.splitlines() if line.startswith("bad: amy-001: ")).count(told) == 1
    status, out, err = run("dump", "audio", corpus / "set", tmp_path / "dump", "--max_bad", "0.5")
    assert status == 0 and "7 utterances" in out and "1 skipped" in out
    assert err.startswith("skipped amy-001: ") and told in err


def test_odd_recordings_are_warnings_and_stay(run, corpus):
    tone = 0.3 * np.sin(np.arange(40000) / 10)
    soundfile.write(corpus / "audio" / "amy-000.wav", np.stack([tone] * 6, 1), 16000)
    soundfile.write(corpus / "audio" / "amy-001.wav", np.clip(tone * 3.4, -1, 1), 16000)
    soundfile.write(corpus / "audio" / "amy-002.wav", tone + 0.2, 192000)
    soundfile.write(corpus / "audio" / "amy-003.wav", tone, 8000, subtype="PCM_U8")
    soundfile.write(corpus / "audio" / "bob-000.wav", tone, 16000, format="FLAC")
    soundfile.write(corpus / "audio" / "bob-001.wav", tone, 16000, subtype="DOUBLE")
    status, out, _ = run("data", "check", corpus / "set", "--sample_rate", "16000")
    told = [line for line in out.splitlines() if line.startswith("warning: ")]
    assert status == 0 and "8 good, 0 bad, 6 warnings" in out
    for kind in ("channels: amy-000", "clipped: amy-001", "offset: amy-002", "low rate: amy-003", "8 bit: amy-003"):
        assert any(line.startswith(f"warning: {kind}") for line in told)
    assert any(line.startswith("warning: extension: bob-000") for line in told)


def test_many_warnings_of_a_kind_are_one_line(run, corpus):
    status, out, _ = run("data", "check", corpus / "set", "--sample_rate", "24000")
    assert status == 0 and "8 warnings" in out
    assert out.count("warning: ") == 1 and "and 7 others" in out


def test_speaker_prefix_and_order_are_warnings(run, corpus):
    for name in ("utt2spk", "spk2utt", "spk2gender"):
        path = corpus / "set" / name
        path.write_text(path.read_text().replace("amy\n", "zoe\n").replace("amy ", "zoe "))
    lines = sorted((corpus / "set" / "spk2utt").read_text().splitlines())
    (corpus / "set" / "spk2utt").write_text("\n".join(lines) + "\n")
    lines = sorted((corpus / "set" / "spk2gender").read_text().splitlines())
    (corpus / "set" / "spk2gender").write_text("\n".join(lines) + "\n")
    status, out, _ = run("data", "check", corpus / "set")
    assert (
        status == 0 and "warning: speaker prefix: amy-000" in out and "utt2spk is not in order of its speakers" in out
    )


@pytest.mark.parametrize("text, told", [("a мир b", "Cyrillic"), ("?!", "nothing to say"), ("x" * 50_001, "50001")])
def test_text_that_cannot_be_spoken_is_a_warning(run, corpus, text, told):
    edit(corpus / "set" / "text", "amy-001 this is number 1", f"amy-001 {text}")
    status, out, _ = run("data", "check", corpus / "set")
    assert status == 0 and "8 good, 0 bad, 1 warnings" in out
    assert "warning: text: amy-001 cannot be spoken" in out and told in out


def test_spaces_and_emoji_in_paths_are_fine(run, corpus):
    (corpus / "audio" / "amy-001.wav").rename(corpus / "audio" / "my take 🎙 1.wav")
    edit(corpus / "set" / "wav.scp", "audio/amy-001.wav", "audio/my take 🎙 1.wav")
    status, out, _ = run("data", "check", corpus / "set")
    assert status == 0 and "8 good, 0 bad, 0 warnings" in out


def test_too_many_bad_utterances_stop_with_a_status(run, corpus, tmp_path):
    for number in range(2):
        (corpus / "audio" / f"amy-00{number}.wav").unlink()
    status, out, err = run("data", "check", corpus / "set", "--max_bad", "0.2")
    assert status == 2 and "6 good, 2 bad" in out and "2 of 8 utterances are bad" in err
    status, _, err = run("dump", "audio", corpus / "set", tmp_path / "dump", "--max_bad", "0.2")
    assert status == 2 and "2 of 8" in err and not (tmp_path / "dump").exists()
    assert err.count("skipped ") == 2
    status, _, _ = run("data", "check", corpus / "set", "--max_bad", "0.25")
    assert status == 0


def test_several_processes_find_the_same(run, corpus):
    for number in range(4):
        for speaker in ("amy", "bob"):
            for copy in range(3):
                id = f"{speaker}-9{number}{copy}"
                shutil.copy(corpus / "audio" / f"{speaker}-00{number}.wav", corpus / "audio" / f"{id}.wav")
                for name, value in (("wav.scp", f"audio/{id}.wav"), ("text", "more"), ("utt2spk", speaker)):
                    with (corpus / "set" / name).open("a") as file:
                        file.write(f"{id} {value}\n")
    (corpus / "audio" / "bob-921.wav").write_bytes(b"")
    for name in ("utt2lang", "utt2score", "spk2utt"):
        (corpus / "set" / name).unlink()
    one = check(run, corpus, "--write", corpus / "one")
    two = check(run, corpus, "--nj", "2", "--write", corpus / "two")
    assert one[0] == two[0] == 0 and one[1].replace("/one", "/two") == two[1]
    assert "31 good, 1 bad" in one[1]


def test_a_trusted_pipe_is_run_and_its_failure_told(run, corpus):
    edit(corpus / "set" / "wav.scp", "audio/amy-001.wav", f"cat '{corpus}/audio/amy-001.wav' |")
    edit(corpus / "set" / "wav.scp", "audio/amy-002.wav", "echo no such sound >&2; exit 3 |")
    status, out, _ = check(run, corpus, "--trust_pipes")
    assert status == 0 and "7 good, 1 bad" in out
    assert "bad: amy-002: " in out and "no such sound" in out


def test_segments_are_checked_against_their_recordings(run, corpus):
    folder = corpus / "cut"
    folder.mkdir()
    (folder / "wav.scp").write_text("long audio/amy-003.wav\n")
    rows = {
        "amy-a": "long 0 0.3",
        "amy-b": "long 0.3 0.6",
        "amy-c": "long 0.6 5",
        "amy-d": "long 2 1",
        "amy-e": "other 0 1",
    }
    for name, values in (
        ("segments", rows),
        ("text", dict.fromkeys(rows, "hm")),
        ("utt2spk", dict.fromkeys(rows, "amy")),
    ):
        (folder / name).write_text("".join(f"{key} {value}\n" for key, value in values.items()))
    status, out, _ = run("data", "check", folder, "--max_bad", "0.9")
    assert status == 0 and "2 good, 3 bad" in out
    for told in ("amy-c: ends 4", "amy-d: has no 'recording start end'", "amy-e: is missing from wav.scp"):
        assert f"bad: {told}" in out


@pytest.mark.parametrize("name", ["wav.scp", "text", "utt2spk"])
def test_a_missing_file_is_named(run, corpus, name):
    (corpus / "set" / name).unlink()
    status, _, err = run("data", "check", corpus / "set")
    assert status == 2 and f"{name}: no such file" in err and err.count("\n") == 1


def test_a_missing_folder_is_named(run, tmp_path):
    status, _, err = run("data", "check", tmp_path / "nothing")
    assert status == 2 and "nothing: no such folder" in err


def test_an_empty_directory_is_refused(run, corpus):
    for path in (corpus / "set").iterdir():
        path.write_text("")
    status, _, err = run("data", "check", corpus / "set")
    assert status == 2 and "holds no utterances" in err
