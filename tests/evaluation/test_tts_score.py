"""How a voice is scored: error rates and their ratio, closeness to the own speaker, targets, the report."""

import copy
import csv
import math
import re
import shutil

import pytest
import torch
from typer.testing import CliRunner

from speechgen.audio.files import write_audio
from speechgen.cli import tts as verbs
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.errors import UserError
from speechgen.evaluation import tts_report, tts_score
from speechgen.evaluation.logs import ScoreLog, read_json
from speechgen.evaluation.tts_report import JUDGED, changes, closer_to_own, error_rates, problems, speed
from speechgen.evaluation.tts_results import write_tts_results
from speechgen.evaluation.tts_score import score_speech
from speechgen.evaluation.tts_targets import tts_targets

RATE = 16000


def counted(speech: int, recording: int, words: int = 10, recogniser: str = "pocketsphinx") -> dict:
    """An utterance's scores: so many wrong words in the speech and in the recording, twice as many characters."""

    def version(errors: int) -> dict:
        counts = {"word_errors": errors, "words": words, "character_errors": 2 * errors, "characters": 4 * words}
        return {"errors": {recogniser: counts}, "dnsmos": 3.0, "sim": 0.8, "sim_other": 0.6}

    return {"speech": version(speech), "recording": version(recording), "resynthesis": version(recording)}


def alike(own: float | None, other: float | None) -> dict:
    scores = counted(1, 1)
    scores["speech"] |= {"sim": own, "sim_other": other}
    return scores


def test_error_rates_are_of_all_words_together():
    rates = error_rates("pocketsphinx", [counted(2, 1), counted(4, 3, words=30)] * 10)
    assert rates["n"] == 20
    assert rates["wer"]["speech"]["mean"] == pytest.approx(6 / 40)
    assert rates["cer"]["recording"]["mean"] == pytest.approx(8 / 160)
    assert rates["wer_ratio"]["speech"]["mean"] == pytest.approx(6 / 4)
    assert rates["wer_ratio"]["resynthesis"] == {"mean": 1.0, "ci95": [1.0, 1.0]}
    assert rates["understands"]


def test_the_ratio_draws_utterances_with_both_their_errors():
    # Twice the errors in every utterance, of very different lengths: paired draws know no doubt at all.
    rates = error_rates("pocketsphinx", [counted(2 * errors, errors, words=40) for errors in range(1, 20)])
    low, high = rates["wer_ratio"]["speech"]["ci95"]
    assert (low, high) == (2.0, 2.0)
    low, high = rates["wer"]["speech"]["ci95"]
    assert high - low > 0.1


def test_recordings_without_errors_give_no_ratio():
    assert error_rates("pocketsphinx", [counted(1, 0)] * 5)["wer_ratio"]["speech"] is None


def test_a_recogniser_that_does_not_understand_the_recordings_is_known():
    assert not error_rates("pocketsphinx", [counted(2, 9)] * 5)["understands"]


def test_a_listener_is_asked_even_where_it_does_not_understand():
    rates = error_rates("listener", [counted(15, 12, recogniser="listener")] * 5)
    assert not rates["understands"] and rates["cer_ratio"]["speech"]["mean"] == 1.25


def test_a_listener_counts_characters():
    rates = error_rates("listener", [counted(2, 1, recogniser="listener")] * 5)
    assert "wer" not in rates and rates["cer_ratio"]["speech"]["mean"] == 2.0


def test_closer_is_the_share_of_speakers():
    lines = {str(i): {"speaker": "abc"[i // 2]} for i in range(6)}
    pairs = [(0.9, 0.5), (0.4, 0.5), (0.5, 0.6), (0.5, 0.6), (0.7, 0.6), (0.7, 0.6)]  # a and c are, b is not
    share = closer_to_own(lines, {str(i): alike(*pair) for i, pair in enumerate(pairs)})
    assert share["mean"] == pytest.approx(2 / 3) and share["n"] == 3


def test_speech_without_a_voice_is_not_closer():
    assert closer_to_own({"0": {"speaker": "a"}}, {"0": alike(None, None)})["mean"] == 0


def test_without_other_speakers_there_is_nothing_to_be_closer_to():
    scores = alike(0.9, None)
    scores["recording"]["sim_other"] = None
    assert closer_to_own({"0": {"speaker": "a"}}, {"0": scores}) is None


def test_speed_is_of_all_speech_together():
    lines = [{"seconds": s, "x_real_time": x, "first_audio": f} for s, x, f in [(4, 2, 0.1), (2, 4, 0.2), (2, 4, 0.9)]]
    assert speed(lines) == {"x_real_time": pytest.approx(8 / 3), "first_audio": 0.2}
    assert speed([]) == {"x_real_time": None, "first_audio": None}


def voice(pitch: float, seed: int, seconds: float = 3.4) -> torch.Tensor:
    """Something like a voice: a buzz through two resonances, one of them moving, with pauses."""
    time = torch.arange(int(seconds * RATE)) / RATE
    phase = 2 * math.pi * pitch * time + 3 * torch.sin(2 * math.pi * 1.5 * time)
    first = 700 + 400 * torch.sin(2 * math.pi * 2.3 * time + seed)
    wave = torch.zeros_like(time)
    for harmonic in range(1, 30):
        level = torch.exp(-(((harmonic * pitch - first) / 300) ** 2))
        level += 0.3 * math.exp(-(((harmonic * pitch - 2300) / 400) ** 2))
        wave += level * torch.sin(harmonic * phase)
    return 0.2 * wave * (torch.sin(2 * math.pi * 1.2 * time) > -0.6)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two speakers of one corpus and one of another, two utterances each."""
    root = tmp_path_factory.mktemp("corpus")
    texts = ["the quick brown fox", "the lazy dog"]
    utterances = []
    for speaker, pitch in {"north-anna": 230, "north-bert": 100, "south-otto": 150}.items():
        for take, text in enumerate(texts):
            path = root / f"{speaker}-{take}.wav"
            write_audio(path, voice(pitch, take), RATE)
            utterances.append(Utterance(path.stem, path, text, speaker, "de" if "south" in speaker else "en"))
    DataDir(utterances, root).write(root / "test")
    return root


@pytest.fixture(scope="module")
def generated(corpus, tiny_models, tmp_path_factory):
    """What ``tts generate`` wrote, with the speech replaced by the recordings: the best voice there can be."""
    out = tmp_path_factory.mktemp("said") / "generate"
    words = ["generate", str(tiny_models / "tts"), str(corpus / "test"), "--out", str(out), "--steps", "1"]
    done = CliRunner().invoke(verbs.app, words)
    assert done.exit_code == 0, done.output
    assert "6 sentences said by tts, 0 failed" in done.output
    for path in corpus.glob("*.wav"):
        shutil.copy(path, out / path.name)
    return out


@pytest.fixture(scope="module")
def report(generated):
    with pytest.MonkeyPatch.context() as patch:  # no recogniser understands a buzz, and random weights nothing
        patch.setattr(tts_report, "UNDERSTOOD", 10.0)
        yield score_speech(generated)


def test_recordings_as_speech_score_as_recordings(report):
    assert report["n"] == 6 and report["failed"] == 0
    for corpus in report["corpora"]:
        for key in (*JUDGED, "failures"):
            assert corpus[key]["speech"] == corpus[key]["recording"]
        for rates in corpus["recognisers"].values():
            assert rates["cer"]["speech"] == rates["cer"]["recording"]
    assert report["all"]["closer"]["mean"] == 1.0 and report["all"]["closer"]["n"] == 3
    north = report["corpora"][0]
    assert north["first"]["speech"]["mean"] >= 0.5 and north["length"]["speech"]["mean"] == 1.0
    assert 100 < north["f0"]["speech"]["mean"] < 230  # one has 100 Hz, the other 230
    assert north["sim_prompt"]["speech"]["mean"] == pytest.approx(north["sim"]["speech"]["mean"])  # two takes each


def test_every_corpus_is_reported_alone(report, tiny_models):
    north, south = report["corpora"]
    assert (north["name"], north["n"], north["speakers"]) == ("north", 4, 2)
    assert (south["name"], south["languages"]) == ("south", ["de"])
    listener = str(tiny_models / "listener")
    assert set(north["recognisers"]) == {"pocketsphinx", listener}
    assert set(south["recognisers"]) == {listener}  # pocketsphinx knows no German


def test_scores_are_kept(generated, report, monkeypatch):
    def never(item):
        raise AssertionError(f"{item.name} is scored again")

    monkeypatch.setattr(tts_score, "judge", never)
    assert score_speech(generated) == report


def test_what_is_not_understood_is_not_asked_about(generated, report, tmp_path, monkeypatch):
    monkeypatch.setattr(tts_report, "UNDERSTOOD", 0.5)
    again = tmp_path / "generate"
    shutil.copytree(generated, again)
    report = score_speech(again)
    north = report["corpora"][0]
    heard = ScoreLog(again / "scores.jsonl").lines["north-anna-0"]["scores"]["speech"]["errors"]
    assert len(heard) == 1 and "pocketsphinx" not in heard
    assert north["recognisers"]["pocketsphinx"].keys() == {"n", "understands", "wer", "cer"}
    assert north["recognisers"]["pocketsphinx"]["wer"].keys() == {"recording"}
    write_tts_results(tmp_path / "RESULTS.md", report)
    page = (tmp_path / "RESULTS.md").read_text()
    assert "pocketsphinx does not understand these speakers' recordings" in page and "is left out" in page
    assert "listener does not understand these speakers' recordings" in page
    assert "their speech weighs little: " in page and "1.00 (1.00-1.00) times the errors" in page


def test_recordings_are_heard_once_for_several_models(generated, report, tmp_path, monkeypatch):
    for name in ("one", "two"):
        shutil.copytree(generated, tmp_path / name, ignore=shutil.ignore_patterns("scores.jsonl", "report.*"))
    monkeypatch.setattr(tts_report, "UNDERSTOOD", 10.0)
    first = score_speech(tmp_path / "one", heard_in=tmp_path / "heard")
    log = (tmp_path / "heard" / "scores.jsonl").read_text()
    assert score_speech(tmp_path / "two", heard_in=tmp_path / "heard")["corpora"] == first["corpora"]
    assert (tmp_path / "heard" / "scores.jsonl").read_text() == log and len(log.splitlines()) == 6
    assert first["corpora"] == report["corpora"]


def test_silence_counts_every_word_as_lost(generated, report, tmp_path):
    silent = tmp_path / "generate"
    shutil.copytree(generated, silent)
    write_audio(silent / "north-anna-0.wav", torch.zeros(RATE), RATE)
    score_speech(silent)
    speech = ScoreLog(silent / "scores.jsonl").lines["north-anna-0"]["scores"]["speech"]
    assert speech["errors"]["pocketsphinx"]["word_errors"] == 4
    assert speech["sim"] is None and speech["dnsmos"] is None


def test_unreadable_speech_is_a_counted_failure(generated, tmp_path):
    broken = tmp_path / "generate"
    shutil.copytree(generated, broken)
    (broken / "south-otto-1.wav").write_bytes(b"")
    report = score_speech(broken)
    assert (report["n"], report["failed"]) == (5, 1)
    assert "is empty" in report["failures"][0]["reason"]
    worst = report["utterances"][0]
    assert worst["utterance"] == "south-otto-1" and "is empty" in worst["problems"][0]
    south = report["corpora"][1]["failures"]
    assert south["speech"]["mean"] >= 0.5 and south["recording"]["mean"] < 0.5


def test_what_has_failed_is_told():
    scores = counted(1, 1)
    for version in scores.values():
        version["length"] = 1.0
    assert problems(scores, "speech") == []
    scores["speech"]["length"] = 2.5
    assert problems(scores, "speech") == ["is 2.50 times as long as the recording"]
    scores["speech"]["length"] = 1.0
    scores["speech"]["errors"]["pocketsphinx"]["word_errors"] = 6
    assert problems(scores, "speech") == ["60% of the words misheard by pocketsphinx"]
    scores["recording"]["errors"]["pocketsphinx"]["word_errors"] = 3  # which says nothing where it is no better itself
    assert problems(scores, "speech") == []
    scores["speech"]["dnsmos"] = None
    assert problems(scores, "speech") == ["is silent"]


def test_sentences_are_sorted_the_worst_first(generated, report, tmp_path):
    spoilt = tmp_path / "generate"
    shutil.copytree(generated, spoilt)
    write_audio(spoilt / "north-bert-1.wav", voice(100, 1, seconds=9.0), RATE)
    lines = score_speech(spoilt)["utterances"]
    assert lines[0]["utterance"] == "north-bert-1" and "times as long" in lines[0]["problems"][0]
    errors = [line["scores"]["speech"]["errors"].values() for line in lines[1:]]
    rates = [max(one["character_errors"] / one["characters"] for one in heard) for heard in errors]
    assert len(rates) == 5 and rates == sorted(rates, reverse=True)


def test_what_changed_is_paired(report):
    (north, south) = changes(report, report)
    assert north["sim"]["n"] == 4 and north["sim"]["difference"] == {"mean": 0.0, "ci95": [0.0, 0.0]}
    later = copy.deepcopy(report)
    for line in later["utterances"]:
        line["scores"]["speech"]["sim"] -= 0.125
    change = changes(report, later)[0]["sim"]
    assert change["difference"]["mean"] == pytest.approx(-0.125) and change["before"] == north["sim"]["before"]
    later["utterances"] = later["utterances"][:1]
    assert sum(line["sim"]["n"] for line in changes(report, later)) == 1


def test_the_page_shows_targets_corpora_and_speed(generated, report, tmp_path):
    words = ["score", str(generated), "--results", str(tmp_path / "RESULTS.md")]
    done = CliRunner().invoke(verbs.app, words)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "RESULTS.md").read_text()
    assert read_json(generated / "report.json") == report
    assert "than to a random other | at least 0.8 | 1.00 (1.00-1.00) | 3 | yes |" in page
    assert "## north\n\n4 sentences of 2 speakers (en); 0 failed." in page
    assert "2 of each speaker in corpora of more than 10 speakers" in page
    assert "| all | 6 | 0 |" in page and "| north | SIM prompt | own voice first, % |" in page
    table = list(csv.DictReader((generated / "report.csv").open()))
    assert len(table) == 6 * 3 and [row["sim"] for row in table if row["version"] == "speech"] == [
        str(line["scores"]["speech"]["sim"]) for line in report["utterances"]
    ]
    html = (generated / "report.html").read_text()
    assert html.count('src="data:audio/flac;base64,') == 6 * 4  # speech, recording, resynthesis and prompt
    assert not re.search('(src|href)="(?!data:|#)', html) and "worst first" in html


def test_before_and_after_stand_beside_each_other(generated, report, tmp_path):
    now = tmp_path / "generate"
    shutil.copytree(generated, now)
    words = ["score", str(now), "--before", str(generated), "--results", str(tmp_path / "RESULTS.md")]
    done = CliRunner().invoke(verbs.app, words)
    assert done.exit_code == 0, done.output
    assert "north: SIM own +0.000 (+0.000 to +0.000) after training" in done.output
    assert "## Before and after" in (tmp_path / "RESULTS.md").read_text()
    assert read_json(now / "report.json")["before"]["model"] == "tts"
    assert 'id="before"' in (now / "report.html").read_text()


def test_eval_is_generate_and_score_in_one_go(corpus, tiny_models, tmp_path):
    words = ["eval", str(tiny_models / "tts"), str(corpus / "test"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(verbs.app, [*words, "--steps", "1", "--limit", "2"])
    assert done.exit_code == 0, done.output
    assert "2 sentences said by tts" in done.output and "2 scored, 0 failed" in done.output
    assert (tmp_path / "out/report.html").exists()
    done = CliRunner().invoke(verbs.app, [*words, "--whisper", str(tmp_path / "none")])
    assert isinstance(done.exception, UserError) and "holds no config.json" in str(done.exception)


def test_the_page_of_an_understood_corpus_has_its_ratio(report, tmp_path):
    north = {**report["corpora"][0], "recognisers": {"pocketsphinx": error_rates("pocketsphinx", [counted(3, 2)] * 4)}}
    known = {**report, "corpora": [north], "targets": tts_targets([north], report["all"])}
    write_tts_results(tmp_path / "RESULTS.md", known)
    page = (tmp_path / "RESULTS.md").read_text()
    assert "north: word error rate of speech / of recordings (pocketsphinx) | at most 1.1 | 1.50 (1.50-1.50)" in page
    assert "| speech | 30.0 (30.0-30.0) | 15.0 (15.0-15.0) | 1.50 (1.50-1.50) |" in page


def test_nothing_to_score_is_said_in_one_line(tmp_path):
    with pytest.raises(UserError, match="generate.json: no such file"):
        score_speech(tmp_path)
