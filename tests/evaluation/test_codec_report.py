"""The whole of a codec evaluation on speech-like sound: metrics each alone, costs, drift, slices, CSV, resumption."""

import csv
import json
import math

import pytest
import torch

from speechgen.audio.files import write_audio
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.manifests import write_manifests
from speechgen.errors import UserError
from speechgen.evaluation.baselines import Opus
from speechgen.evaluation.coding import codec_systems
from speechgen.evaluation.generate import code_all
from speechgen.evaluation.recordings import find_recordings
from speechgen.evaluation.report import write_html
from speechgen.evaluation.score import score_all

RATE = 16000
CHEAP = ["stoi", "mel", "f0"]


def voice(pitch, seconds=1.6):
    """Something like a voice: a buzz through a moving resonance, with pauses."""
    time = torch.arange(int(seconds * RATE)) / RATE
    phase = 2 * math.pi * pitch * time + 2 * torch.sin(2 * math.pi * 1.5 * time)
    first = 700 + 400 * torch.sin(2 * math.pi * 2.3 * time)
    wave = torch.zeros_like(time)
    for harmonic in range(1, 25):
        wave += torch.exp(-(((harmonic * pitch - first) / 400) ** 2)) * torch.sin(harmonic * phase)
    return 0.2 * wave * (torch.sin(2 * math.pi * 1.2 * time) > -0.6)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A Kaldi directory of four utterances by a man and a woman."""
    root = tmp_path_factory.mktemp("corpus")
    utterances = []
    for number, (speaker, sex, pitch) in enumerate(
        [("a", "m", 100), ("a", "m", 110), ("b", "f", 210), ("b", "f", 220)]
    ):
        path = root / f"{speaker}-{number}.wav"
        write_audio(path, voice(pitch), RATE)
        extras = {"spk2gender": sex, "spk2age": str(20 + number // 2 * 30)}
        utterances.append(Utterance(path.stem, path, "the quick brown fox", speaker, "en", extras))
    DataDir(utterances, root).write(root / "test")
    return root / "test"


@pytest.fixture(scope="module")
def generated(data, tiny_models, tmp_path_factory):
    """What the tiny codec and Opus make of it."""
    out = tmp_path_factory.mktemp("evaluation") / "out"
    systems = [*codec_systems(tiny_models / "codec", [0.2, 0.6]), Opus(12)]
    names = [system.name for system in systems[:2]]
    code_all(find_recordings(data), systems, out, RATE, generations=3, costs=True, subject=names)
    return out


@pytest.fixture(scope="module")
def report(generated):
    return score_all(generated, CHEAP)


def line_of(report, name):
    return next(system for system in report["systems"] if system["name"] == name)


def test_costs_stand_beside_quality(report, tiny_models):
    ours = line_of(report, "codec-0.6k")
    assert ours["tokens_per_second"] == pytest.approx(150, rel=0.1)
    assert ours["codebooks"]["size"] == 16 and len(ours["codebooks"]["entropy"]) == 3
    assert all(0 < share <= 1 for share in ours["codebooks"]["usage"])
    assert 0 < ours["delay_ms"] < 100 and ours["x_real_time"] > 0
    opus = line_of(report, "opus-12k")
    assert opus["tokens_per_second"] is None and opus["codebooks"] is None and opus["delay_ms"] > 0
    assert line_of(report, "recording")["x_real_time"] is None


def test_drift_is_followed_over_the_generations(report):
    opus, ours = line_of(report, "opus-12k")["generations"], line_of(report, "codec-0.6k")["generations"]
    assert opus["n"] == 4 and opus["codes_kept"] is None
    means = [one["mean"] for one in opus["mel"]]
    assert len(means) == 3 and means[0] < means[1] < means[2]
    assert means[0] == pytest.approx(line_of(report, "opus-12k")["mel"]["mean"], rel=0.05)
    assert len(ours["codes_kept"]) == 2 and all(0 <= share <= 1 for share in ours["codes_kept"])


def test_differences_are_paired_and_signed(report):
    lines = {(line["system"], line["against"]): line for line in report["differences"]}
    assert set(lines) == {("codec-0.2k", "opus-12k"), ("codec-0.6k", "opus-12k")}
    stoi = lines["codec-0.6k", "opus-12k"]["stoi"]
    expected = line_of(report, "codec-0.6k")["stoi"]["mean"] - line_of(report, "opus-12k")["stoi"]["mean"]
    assert stoi["mean"] == pytest.approx(expected) and stoi["mean"] < 0 and stoi["n"] == 4


def test_slices_hold_their_own_means(report):
    found = {(one["by"], one["value"]): one for one in report["slices"]}
    assert ("sex", "female") in found and ("age", "40–59") in found and ("speaker", "a") in found
    assert any(by == "F0" for by, _ in found)
    female, male = (found["sex", sex]["systems"]["opus-12k"]["stoi"]["mean"] for sex in ("female", "male"))
    assert (female + male) / 2 == pytest.approx(line_of(report, "opus-12k")["stoi"]["mean"])


def test_the_worst_are_sorted_by_which_way_is_better(report):
    worst = [entry["value"] for entry in report["worst"]["stoi"]["opus-12k"]]
    assert len(worst) == 4 and worst == sorted(worst)
    distances = [entry["value"] for entry in report["worst"]["mel"]["opus-12k"]]
    assert distances == sorted(distances, reverse=True)


def test_the_csv_has_every_score(generated, report):
    with (generated / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 4
    opus = [row for row in rows if row["system"] == "opus-12k"]
    assert [row["spk2gender"] for row in opus] == ["m", "m", "f", "f"]
    mean = sum(float(row["stoi"]) for row in opus) / 4
    assert mean == pytest.approx(line_of(report, "opus-12k")["stoi"]["mean"])
    assert float(opus[0]["recording_f0"]) == pytest.approx(100, rel=0.1)
    assert int(opus[0]["bytes"]) > 0 and opus[0]["failed"] == ""


def test_the_page_has_all_its_sections(generated, report):
    page = write_html(generated, report).read_text()
    for section in ("curves", "scores", "differing", "costs", "drift", "listen", "worst-ten", "sliced", "failures"):
        assert f'id="{section}"' in page
    assert page.count("<svg") == len(CHEAP) + 2  # stoi and mel are followed in the drift
    assert page.count("<audio") == 4 * 4 and page.count('class="abx') == 4
    held = page.split('<script type="application/json" id="report">')[1].split("</script>")[0]
    assert json.loads(held)["worst"] == report["worst"]


def test_one_metric_s_failure_leaves_the_others(tmp_path):
    (tmp_path / "audio").mkdir()
    noise = 0.1 * torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    write_audio(tmp_path / "audio" / "noise.wav", noise, RATE)  # no voice: F0 has nothing to compare
    write_audio(tmp_path / "audio" / "voice.wav", voice(120), RATE)
    code_all(find_recordings(tmp_path / "audio"), [Opus(12)], tmp_path / "out", RATE)
    report = score_all(tmp_path / "out", ["mel", "f0"])
    opus = line_of(report, "opus-12k")
    assert (opus["n"], opus["failed"]) == (1, 1)
    assert (opus["mel"]["n"], opus["mel"]["failed"]) == (2, 0)
    assert (opus["f0"]["n"], opus["f0"]["failed"]) == (1, 1)
    [failure] = [one for one in report["failures"] if one["system"] == "opus-12k"]
    assert (failure["utterance"], failure["metric"]) == ("noise", "f0") and "voiced" in failure["reason"]


def test_a_killed_scoring_goes_on_where_it_was(data, tmp_path):
    code_all(find_recordings(data), [Opus(12)], tmp_path, RATE)
    report = score_all(tmp_path, ["mel"])
    path = tmp_path / "scores.jsonl"
    before = path.read_text()
    seen = []

    def stop():
        seen.append(1)
        if len(seen) == 5:
            raise KeyboardInterrupt

    path.unlink()
    with pytest.raises(KeyboardInterrupt):
        score_all(tmp_path, ["mel"], on_item=stop)
    kept = path.read_text()
    assert kept.count("\n") == 5
    path.write_text(kept + '{"name": "cut sho')  # as a kill in the middle of a line leaves it
    assert score_all(tmp_path, ["mel"]) == report
    assert path.read_text().startswith(kept)
    assert sorted(path.read_text().splitlines()) == sorted(before.splitlines())


def test_a_killed_generation_goes_on_where_it_was(data, tmp_path):
    opus, plain, calls = Opus(12), Opus(12).reconstruct, []

    def counted(wave, rate):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(wave, rate)

    opus.reconstruct = counted
    with pytest.raises(KeyboardInterrupt):
        code_all(find_recordings(data), [opus], tmp_path / "out", RATE)
    code_all(find_recordings(data), [opus], tmp_path / "out", RATE)
    assert len(calls) == 3 + 2


def test_what_takes_too_long_fails_that_metric_and_is_not_tried_again(generated, tmp_path):
    out = tmp_path / "out"
    code_all(find_recordings(generated / "recording" / "a-0.wav"), [], out, RATE)
    hurried = score_all(out, ["dnsmos"], time_limit=0.005)
    assert [one["reason"] for one in hurried["failures"]] == ["took longer than 0.005 s"]
    assert hurried["systems"][0]["dnsmos"] is None and hurried["systems"][0]["failed"] == 1
    lines = (out / "scores.jsonl").read_text()
    assert score_all(out, ["dnsmos"], time_limit=0.005) == hurried
    assert (out / "scores.jsonl").read_text() == lines
    assert score_all(out, ["dnsmos"], time_limit=300)["systems"][0]["n"] == 1


def test_several_processes_code_alike(data, generated, tiny_models, tmp_path):
    systems = [*codec_systems(tiny_models / "codec", [0.6]), Opus(12)]
    code_all(find_recordings(data), systems, tmp_path / "out", RATE, jobs=2, time_limit=300)
    for system in systems:
        for name in ("a-0", "b-3"):
            one, other = (folder / system.name / f"{name}.wav" for folder in (tmp_path / "out", generated))
            assert one.read_bytes() == other.read_bytes()


def test_a_recogniser_that_hears_nothing_judges_no_codec(generated, tiny_models):
    listener = str(tiny_models / "listener")  # random weights
    report = score_all(generated, ["mel", "cer"], recogniser=listener)
    assert line_of(report, "recording")["cer"]["mean"] > 0.5
    assert line_of(report, "opus-12k")["cer"] is None and line_of(report, "opus-12k")["failed"] == 0
    assert "does not understand these recordings" in report["facts"]["cer"]


def test_texts_are_needed_for_character_errors(generated, tmp_path):
    code_all(find_recordings(generated / "recording" / "a-0.wav"), [], tmp_path / "out", RATE)
    with pytest.raises(UserError, match="no texts in a language that pocketsphinx knows"):
        score_all(tmp_path / "out", ["cer"])


@pytest.mark.parametrize("file", ["", "cuts.jsonl.gz", "recordings.jsonl.gz"])
def test_lhotse_manifests_are_read(data, tmp_path, file):
    write_manifests(DataDir.read(data), tmp_path / "manifests")
    found = find_recordings(tmp_path / "manifests" / file)
    assert list(found.utterances) == ["a-0", "a-1", "b-2", "b-3"]
    assert len(found.read("a-0", RATE)) == int(1.6 * RATE)
    if file != "recordings.jsonl.gz":
        utterance = found.utterances["b-3"]
        assert (utterance.text, utterance.speaker) == ("the quick brown fox", "b")
        assert utterance.extras["spk2gender"] == "f"


def test_a_cut_of_a_recording_is_a_stretch(data, tmp_path):
    from lhotse import CutSet

    write_manifests(DataDir.read(data), tmp_path / "manifests")
    cuts = CutSet.from_file(tmp_path / "manifests" / "cuts.jsonl.gz").to_eager()
    CutSet.from_cuts(cut.truncate(offset=0.5, duration=0.4).drop_supervisions() for cut in cuts).to_file(
        tmp_path / "part.jsonl"
    )
    found = find_recordings(tmp_path / "part.jsonl")
    assert len(found.utterances) == 4
    name = next(iter(found.utterances))
    assert len(found.read(name, RATE)) == int(0.4 * RATE)


def test_a_manifest_that_is_none_is_named(tmp_path):
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match="bad.jsonl: "):
        find_recordings(tmp_path / "bad.jsonl")
