"""Generate, score and report: resumable, with failures counted and never scored, and real bytes."""

import json
import re

import pytest
import torch

from speechgen.audio.files import read_audio, write_audio
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.errors import UserError
from speechgen.evaluation.baselines import CodingError
from speechgen.evaluation.generate import code_all
from speechgen.evaluation.recordings import find_recordings
from speechgen.evaluation.report import families, rate_distortion_svg, write_html
from speechgen.evaluation.results import short_path, write_codec_results
from speechgen.evaluation.score import score_all

RATE = 8000
CHEAP = ["si_sdr", "mel", "stft"]


class Quantizer:
    """A toy codec of so many bits a sample; ``broken`` fails on one utterance in its own way."""

    def __init__(self, bits, broken=None):
        self.name, self.bits, self.facts, self.broken, self.calls = f"toy-{bits}k", bits, {"bits": bits}, broken, 0

    def reconstruct(self, wave, sample_rate):
        self.calls += 1
        if self.broken == "raises" and self.calls == 2:
            raise CodingError("toy: exit 1: out of luck")
        steps = 2 ** (self.bits - 1)
        coded = (wave * steps).round() / steps
        if self.broken == "nan" and self.calls == 2:
            coded[0] = float("nan")
        return coded, len(wave) * self.bits // 8


def tone(number, seconds=0.5):
    generator = torch.Generator().manual_seed(number)
    t = torch.arange(int(seconds * RATE)) / RATE
    return 0.3 * torch.sin(2 * torch.pi * (200 + 50 * number) * t) + 0.02 * torch.randn(len(t), generator=generator)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "audio").mkdir()
    for number in range(3):
        write_audio(tmp_path / "audio" / f"clip{number}.wav", tone(number), RATE)
    return tmp_path / "audio"


def run(folder, out, systems, **options):
    code_all(find_recordings(folder, options.pop("limit", None)), systems, out, RATE, **options)


def test_bytes_scores_and_intervals(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out, [Quantizer(4), Quantizer(8)], facts={"model": "toy"})
    report = score_all(out, CHEAP)
    recording, coarse, fine = report["systems"]
    assert [s["name"] for s in report["systems"]] == ["recording", "toy-4k", "toy-8k"]
    assert recording["kbps"] == pytest.approx(16 * RATE / 1000)
    assert coarse["kbps"] == pytest.approx(4 * RATE / 1000)
    assert recording["si_sdr"]["mean"] == 100 and recording["mel"]["mean"] == 0
    assert coarse["si_sdr"]["mean"] < fine["si_sdr"]["mean"] < 100
    assert coarse["si_sdr"]["ci95"][0] <= coarse["si_sdr"]["mean"] <= coarse["si_sdr"]["ci95"][1]
    assert all(s["n"] == 3 and s["failed"] == 0 for s in report["systems"])
    assert report["seconds"] == pytest.approx(1.5)
    assert json.loads((out / "report.json").read_text()) == report


@pytest.mark.parametrize(("broken", "reason"), [("raises", "out of luck"), ("nan", "NaN or infinite")])
def test_failures_are_counted_and_never_scored(folder, tmp_path, broken, reason):
    out = tmp_path / "out"
    run(folder, out, [Quantizer(4, broken)])
    report = score_all(out, CHEAP)
    toy = report["systems"][1]
    assert (toy["n"], toy["failed"]) == (2, 1)
    assert [f["utterance"] for f in report["failures"]] == ["clip1"]
    assert reason in report["failures"][0]["reason"]
    whole = score_all(rerun(folder, out), CHEAP)
    assert (whole["systems"][1]["n"], whole["failures"]) == (3, [])


def rerun(folder, out):
    run(folder, out, [Quantizer(4)])
    return out


def test_bad_recordings_fail_for_every_system_and_stop_nothing(folder, tmp_path):
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("no audio")
    write_audio(folder / "silent.wav", torch.zeros(RATE), RATE)
    out = tmp_path / "out"
    run(folder, out, [Quantizer(8)])
    report = score_all(out, CHEAP)
    for system in report["systems"]:
        assert (system["n"], system["failed"]) == (3, 3), system["name"]
    reasons = {f["utterance"]: f["reason"] for f in report["failures"]}
    assert set(reasons) == {"empty", "text", "silent"}


def test_a_second_run_does_only_what_is_missing(folder, tmp_path):
    out = tmp_path / "out"
    first = Quantizer(4)
    run(folder, out, [first])
    assert first.calls == 3
    before = score_all(out, CHEAP)
    (out / "toy-4k" / "clip2.wav").unlink()
    second = Quantizer(4)
    run(folder, out, [second])
    assert second.calls == 1
    assert without_speed(score_all(out, CHEAP)) == without_speed(before)
    write_audio(folder / "clip0.wav", tone(7), RATE)  # another recording under the same name
    third = Quantizer(4)
    run(folder, out, [third])
    assert third.calls == 1


def test_a_changed_system_starts_anew(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out, [Quantizer(4)])
    retrained = Quantizer(4)
    retrained.facts = {"weights": "others"}
    run(folder, out, [retrained])
    assert retrained.calls == 3


def test_scores_are_kept_while_the_audio_is_the_same(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out, [Quantizer(4)])
    score_all(out, CHEAP)
    path = out / "scores.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    [line] = [line for line in lines if line["name"] == "toy-4k clip0 mel"]
    line["scores"]["value"] = 1000.0
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert score_all(out, CHEAP)["systems"][1]["mel"]["mean"] > 300
    write_audio(out / "toy-4k" / "clip0.wav", tone(0), RATE)
    assert score_all(out, CHEAP)["systems"][1]["mel"]["mean"] < 100


def without_speed(report):
    systems = [{k: v for k, v in system.items() if k != "x_real_time"} for system in report["systems"]]
    return {**report, "systems": systems}


def test_other_folders_are_left_alone(folder, tmp_path):
    treasure = tmp_path / "out" / "recording" / "mine.txt"
    treasure.parent.mkdir(parents=True)
    treasure.write_text("keep")
    with pytest.raises(UserError, match="holds something else; choose another --out"):
        run(folder, tmp_path / "out", [])
    assert treasure.read_text() == "keep"


def test_damaged_and_missing_files_are_named(folder, tmp_path):
    with pytest.raises(UserError, match="generate.json: no such file; run the generate stage first"):
        score_all(tmp_path / "nothing", CHEAP)
    out = tmp_path / "out"
    run(folder, out, [Quantizer(4)])
    (out / "toy-4k" / "bytes.json").write_text("{")
    with pytest.raises(UserError, match="bytes.json: is damaged"):
        score_all(out, CHEAP)


def test_two_systems_of_one_name_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="two systems are called toy-4k"):
        run(folder, tmp_path / "out", [Quantizer(4), Quantizer(4)])


def test_recordings_from_folder_file_and_data_directory(folder, tmp_path):
    write_audio(folder / "clip 0!.flac", tone(9), RATE)
    (folder / "notes.txt").write_text("not audio")
    found = find_recordings(folder)
    assert list(found.utterances) == ["clip_0_", "clip0", "clip1", "clip2"]
    assert list(find_recordings(folder / "clip1.wav").utterances) == ["clip1"]
    assert found.read("clip1", 16000).shape == (8000,)
    utterances = [Utterance(f"b/{n}", folder / f"clip{n}.wav", "text", "speaker", "en") for n in range(3)]
    DataDir(utterances, tmp_path).write(tmp_path / "data")
    assert list(find_recordings(tmp_path / "data").utterances) == ["b_0", "b_1", "b_2"]
    assert list(find_recordings(tmp_path / "data", limit=2).utterances) == ["b_0", "b_1"]


def test_a_limit_is_spread_over_all(tmp_path):
    (tmp_path / "audio").mkdir()
    for number in range(10):
        write_audio(tmp_path / "audio" / f"{number}.wav", tone(number, 0.1), RATE)
    assert list(find_recordings(tmp_path / "audio", limit=3).utterances) == ["0", "3", "6"]
    assert len(find_recordings(tmp_path / "audio", limit=99).utterances) == 10


def test_nothing_to_hear_is_said(tmp_path):
    with pytest.raises(UserError, match="holds no audio"):
        find_recordings(tmp_path)
    with pytest.raises(UserError, match="no such file or folder"):
        find_recordings(tmp_path / "nowhere")


def test_html_holds_everything_in_one_file(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out, [Quantizer(4, "raises"), Quantizer(8)], facts={"model": "toy <b>&"})
    page = write_html(out, score_all(out, CHEAP)).read_text()
    assert page.count("<audio") == 2 * 3  # the two utterances that every system coded
    assert page.count("data:audio/flac;base64,") == 6  # once each, in the lists of the worst as well
    assert page.count("data:image/png;base64,") == 2 * (3 + 2)  # spectrograms, and differences from the recording
    assert page.count("<svg") == len(CHEAP)
    assert "toy &lt;b&gt;&amp;" in page
    assert "out of luck" in page
    addresses = re.findall(r'(?:src|href)="(?!data:)([^"#][^"]*)"', page)
    assert not addresses, "the report must fetch nothing"


def test_results_are_a_table_with_facts(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out, [Quantizer(4), Quantizer(8)], facts={"model": "toy", "steps": "10 of 10"})
    report = score_all(out, CHEAP)
    write_codec_results(tmp_path / "RESULTS.md", report)
    lines = (tmp_path / "RESULTS.md").read_text().splitlines()
    assert "- model: toy" in lines and "- steps: 10 of 10" in lines
    rows = [line for line in lines if line.startswith("| toy")]
    assert [row.split(" | ")[1] for row in rows] == ["32.00", "64.00"]
    mean = report["systems"][1]["si_sdr"]["mean"]
    assert f"{mean:.1f} (" in rows[0]
    assert str(tmp_path.parent) not in "\n".join(lines)


def test_paths_in_results_are_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path("data/test") == "data/test"
    assert short_path("/corpora/of/mine/data/test") == "data/test"


def test_families_and_curves():
    systems = [
        {"name": name, "kbps": kbps, "mel": mel and {"mean": mel, "ci95": [mel, mel]}}
        for name, kbps, mel in [("recording", 256, 0.1), ("opus-6k", 7, 2.0), ("opus-8k", 9, 1.0), ("x-1k", None, None)]
    ]
    assert {name: len(members) for name, members in families(systems).items()} == {"recording": 1, "opus": 2, "x": 1}
    svg = rate_distortion_svg(systems, "mel")
    assert svg.startswith("<svg") and "opus" in svg and "mel distance" in svg
    assert rate_distortion_svg(systems, "mel") == svg


def test_the_recording_is_the_input(folder, tmp_path):
    run(folder, tmp_path / "out", [])
    original, _ = read_audio(folder / "clip0.wav")
    kept, _ = read_audio(tmp_path / "out" / "recording" / "clip0.wav")
    torch.testing.assert_close(kept, original, atol=1e-4, rtol=0)


def test_several_processes_give_the_same_report(tmp_path):
    (tmp_path / "audio").mkdir()
    for number in range(20):  # more than are handed to one process at once
        write_audio(tmp_path / "audio" / f"{number}.wav", tone(number, 0.2), RATE)
    out = tmp_path / "out"
    run(tmp_path / "audio", out, [])
    alone = score_all(out, ["mel"])
    (out / "scores.jsonl").unlink()
    assert score_all(out, ["mel"], jobs=2) == alone
