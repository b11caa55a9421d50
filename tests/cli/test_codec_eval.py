"""speechgen codec eval on the command line: what it writes, --against, and wrong uses."""

import json

import pytest

from speechgen.audio.files import read_audio, write_audio


@pytest.fixture
def clip(tmp_path, prompt_file):
    wave, rate = read_audio(prompt_file)
    write_audio(tmp_path / "clip.wav", wave[: int(1.23 * rate)], rate)
    return tmp_path / "clip.wav"


@pytest.fixture
def words(clip, tiny_models, tmp_path):
    """An evaluation that takes a second or two."""
    metrics = ("--metrics", "stoi,mel", "--generations", 2)
    model = ("--model", tiny_models / "codec", "--kbps", "0.2,0.6", "--baselines", "opus:8")
    return "codec", "eval", clip, *model, *metrics, "--out", tmp_path / "report"


def test_eval_writes_three_reports(run, words, tmp_path):
    status, told, _ = run(*words)
    assert status == 0
    assert {"report.json", "report.csv", "report.html"} <= {path.name for path in (tmp_path / "report").iterdir()}
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["subject"] == ["codec-0.2k", "codec-0.6k"]
    for system in report["systems"]:
        assert {"name", "kbps", "n", "failed", "stoi", "mel"} <= set(system)
        assert {"mean", "ci95"} <= set(system["stoi"])
    assert "codec-0.6k" in told and "report.html" in told


def test_against_tells_what_fell_and_exits_with_1(run, words, tmp_path):
    assert run(*words)[0] == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    (tmp_path / "old.json").write_text(json.dumps(report))
    status, told, _ = run(*words, "--against", tmp_path / "old.json")
    assert status == 0 and "nothing fell" in told
    for system in report["systems"]:
        if system["name"] == "opus-8k":
            system["stoi"] = {"mean": 0.999, "ci95": [0.998, 1.0]}
    (tmp_path / "old.json").write_text(json.dumps(report))
    status, _, complaint = run(*words, "--against", tmp_path / "old.json")
    assert status == 1
    assert complaint.startswith("worse: opus-8k: STOI 0.") and complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--against", "nowhere.json"), "nowhere.json: no such file; give a report.json"),
        (("--metrics", "cers"), "no metric 'cers'; did you mean 'cer'"),
        (("--metrics", "cer"), "no texts in a language that pocketsphinx knows"),
        (("--metrics", "cer", "--recogniser", "nobody"), "nobody: no model of that name"),
        (("--time_limit", "0"), "--time_limit"),
    ],
)
def test_wrong_uses_are_one_line(run, words, more, message):
    status, _, complaint = run(*words, *more)
    assert status == 2
    assert message in complaint and complaint.count("\n") == 1


def test_recordings_of_which_none_can_be_read_are_no_evaluation(run, words, tmp_path):
    (tmp_path / "bad").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "bad" / name).write_bytes(b"")
    status, _, error = run(*words[:2], tmp_path / "bad", *words[3:])
    assert status == 2 and "none of its recordings can be used: a" in error and error.count("\n") == 1
    assert not (tmp_path / "report/report.json").exists()
