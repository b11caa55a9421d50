"""speechgen listener generate, score and align, with a listener of random weights."""

import json
from pathlib import Path

import pytest
import yaml

from speechgen.evaluation import listener as module
from speechgen.evaluation.listener import count_edits, read_heard
from speechgen.models.load import load, save_model


@pytest.fixture
def model(tiny_models: Path) -> Path:
    return tiny_models / "listener"


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_generate_hears_every_utterance(run, model, spoken_dir, tmp_path):
    status, said, _ = run("listener", "generate", model, spoken_dir, "--out", tmp_path / "heard")
    assert status == 0 and "4 utterances heard by listener, 0 failed" in said
    lines = read_heard(tmp_path / "heard")
    assert [line["id"] for line in lines] == ["kathleen-00", "kathleen-01", "mini01-02", "mini02-03"]
    config = load(model).config
    for line in lines:
        assert set(line["heard_phonemes"]) <= set(config.phonemes[1:])
        assert set(line["heard_text"]) <= {"a"}
        assert line["heard_speaker"] in ("a", "b") and not line["knows_speaker"]
        assert line["phonemes"][0] == line["phonemes"][-1] == " "
    assert lines[3]["language"] == "de" and lines[0]["seconds"] == 1.5


def test_generate_goes_on_where_it_was_stopped(run, model, spoken_dir, tmp_path, monkeypatch):
    out = tmp_path / "heard"
    run("listener", "generate", model, spoken_dir, "--out", out)
    whole = (out / "heard.jsonl").read_text(encoding="utf-8")
    (out / "heard.jsonl").write_text("".join(whole.splitlines(True)[:2]) + '{"id": "mini01-0', encoding="utf-8")
    asked = []
    hear = module._hear
    monkeypatch.setattr(module, "_hear", lambda *given: asked.append(given[2]) or hear(*given))
    assert run("listener", "generate", model, spoken_dir, "--out", out)[0] == 0
    assert asked == ["mini01-02", "mini02-03"]
    assert (out / "heard.jsonl").read_text(encoding="utf-8") == whole
    asked.clear()
    (spoken_dir.parent / "audio/kathleen-01.wav").touch()
    run("listener", "generate", model, spoken_dir, "--out", out)
    assert asked == ["kathleen-01"]  # the recording is newer than what was heard


def test_another_model_hears_all_anew(run, model, spoken_dir, tmp_path):
    out = tmp_path / "heard"
    run("listener", "generate", model, spoken_dir, "--out", out)
    before = json.loads((out / "generate.json").read_text())["weights"]
    other = load(model)
    other.to_phonemes.bias[3] += 9
    save_model(tmp_path / "other", other.config, other, "# other\n")
    run("listener", "generate", tmp_path / "other", spoken_dir, "--out", out)
    assert json.loads((out / "generate.json").read_text())["weights"] != before
    symbol = other.config.phonemes[3]
    assert all(symbol in line["heard_phonemes"] for line in read_heard(out))


def test_what_cannot_be_heard_is_counted_and_named(run, model, spoken_dir, tmp_path):
    (spoken_dir.parent / "audio/mini01-02.wav").write_bytes(b"")
    text = (spoken_dir / "text").read_text(encoding="utf-8")
    (spoken_dir / "text").write_text(text.replace("A quick fox!", "你好"), encoding="utf-8")
    status, said, told = run("listener", "generate", model, spoken_dir, "--out", tmp_path / "heard")
    assert status == 0 and "2 utterances heard by listener, 2 failed" in said
    assert "failed mini01-02: " in told and "is empty" in told and "failed kathleen-01: " in told
    assert run("listener", "score", tmp_path / "heard")[0] == 0
    report = report_of(tmp_path / "heard")
    assert (report["slices"][0]["n"], report["slices"][0]["failed"]) == (2, 2)
    assert [failure["utterance"] for failure in report["failures"]] == ["kathleen-01", "mini01-02"]


def test_score_by_language_and_corpus(run, model, spoken_dir, tmp_path):
    out = tmp_path / "heard"
    run("listener", "generate", model, spoken_dir, "--out", out)
    status, said, _ = run("listener", "score", out, "--results", tmp_path / "RESULTS.md")
    assert status == 0 and "all: 4 utterances" in said
    slices = {one["name"]: one for one in report_of(out)["slices"]}
    assert list(slices) == ["all", "de", "en", "kathleen", "mini"]
    assert [slices[name]["n"] for name in slices] == [4, 1, 3, 2, 2]
    lines = read_heard(out)
    edits = [count_edits(line) for line in lines]
    for rate, parts, wholes in (
        ("phoneme_error", "phoneme_edits", "phonemes_said"),
        ("cer", "character_edits", "characters_said"),
    ):
        expected = sum(one[parts] for one in edits) / sum(one[wholes] for one in edits)
        estimate = slices["all"][rate]
        assert estimate["mean"] == pytest.approx(expected)
        assert estimate["ci95"][0] <= estimate["mean"] <= estimate["ci95"][1]
    assert slices["all"]["speaker_accuracy"] is None and slices["all"]["known_speakers"] == 0
    results = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert results.startswith("# Listener results") and "| mini | 2 | 0 |" in results and "scored on: " in results


def test_speakers_that_the_listener_knows_are_scored(run, model, spoken_dir, tmp_path):
    out = tmp_path / "heard"
    run("listener", "generate", model, spoken_dir, "--out", out)
    lines = read_heard(out)
    lines[0] |= {"knows_speaker": True, "heard_speaker": "kathleen"}
    lines[1] |= {"knows_speaker": True, "heard_speaker": "somebody"}
    (out / "heard.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    run("listener", "score", out)
    everything = report_of(out)["slices"][0]
    assert everything["speaker_accuracy"]["mean"] == 0.5 and everything["known_speakers"] == 1


def test_edits_are_counted_without_pauses_case_and_punctuation():
    line = {
        "language": "en",
        "text": "It's 2, Bob!",
        "heard_text": "its two bo",
        "phonemes": [" ", "a", "b", " ", "c", " "],
        "heard_phonemes": ["a", " ", "x", "c", "c"],
    }
    assert count_edits(line) == {"phoneme_edits": 2, "phonemes_said": 3, "character_edits": 2, "characters_said": 12}


def test_mistakes_of_generate_and_score(run, model, tiny_models, spoken_dir, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("mine")
    for arguments, message in (
        (("generate", tiny_models / "codec", spoken_dir, "--out", tmp_path / "x"), "codec: is no listener"),
        (("generate", model, spoken_dir.parent, "--out", tmp_path / "x"), "is no Kaldi data directory"),
        (("generate", model, spoken_dir, "--out", tmp_path / "mine"), "mine: holds something else"),
        (("score", tmp_path / "mine"), "generate.json: no such file"),
        (("generate", "listener-17k", spoken_dir, "--out", tmp_path / "x"), "no model of that name"),
    ):
        status, _, told = run("listener", *arguments)
        assert status == 2 and message in told and told.count("\n") == 1
    assert (tmp_path / "mine/thesis.txt").exists()


def test_align_a_data_directory(run, model, spoken_dir, tmp_path):
    out = tmp_path / "aligned"
    status, said, _ = run("listener", "align", model, spoken_dir, "--out", out)
    assert status == 0 and "4 aligned, 0 failed" in said
    names = {path.name for path in out.iterdir()}
    assert names == {"alignment.ctm", *(f"{id}.{kind}" for id in
                     ("kathleen-00", "kathleen-01", "mini01-02", "mini02-03") for kind in ("json", "png"))}  # fmt: skip
    aligned = json.loads((out / "kathleen-00.json").read_text(encoding="utf-8"))
    symbols = aligned["symbols"]
    assert aligned["text"] == "The lazy dog." and [s["symbol"] for s in symbols[:2]] == [" ", "ð"]
    assert symbols[0]["start"] == 0 and symbols[-1]["end"] == pytest.approx(1.5)
    assert all(one["end"] == two["start"] for one, two in zip(symbols, symbols[1:]))
    lines = [line.split() for line in (out / "alignment.ctm").read_text(encoding="utf-8").splitlines()]
    own = [line for line in lines if line[0] == "kathleen-00"]
    assert len(own) == len(symbols) and own[0][4] == "SIL" and {line[1] for line in lines} == {"1"}
    assert sum(float(line[3]) for line in own) == pytest.approx(1.5, abs=0.01)
    assert (out / "kathleen-00.png").read_bytes().startswith(b"\x89PNG")


def test_align_one_recording_with_its_text_or_with_what_is_heard(run, model, spoken_dir, tmp_path):
    recording = spoken_dir.parent / "audio/kathleen-00.wav"
    assert run("listener", "align", model, recording, "--text", "dog", "--out", tmp_path / "told")[0] == 0
    told = json.loads((tmp_path / "told/kathleen-00.json").read_text(encoding="utf-8"))
    symbols = [one["symbol"] for one in told["symbols"]]
    assert symbols[:2] == [" ", "d"] and symbols[-2:] == ["ɡ", " "]
    status, _, error = run("listener", "align", model, recording, "--out", tmp_path / "heard")
    heard = tmp_path / "heard/kathleen-00.json"
    # random weights may hear nothing that has a symbol; then the pauses alone are aligned
    assert status == 0 and json.loads(heard.read_text(encoding="utf-8"))["text"] == "", error


def test_align_some_and_say_why_not_the_others(run, model, spoken_dir, tmp_path):
    assert "2 aligned" in run("listener", "align", model, spoken_dir, "--limit", "2", "--out", tmp_path / "two")[1]
    text = (spoken_dir / "text").read_text(encoding="utf-8")
    (spoken_dir / "text").write_text(text.replace("Joy.", " ".join(["joy"] * 200)), encoding="utf-8")
    status, said, told = run("listener", "align", model, spoken_dir, "--out", tmp_path / "three")
    assert status == 0 and "3 aligned, 1 failed" in said
    assert "failed mini01-02: " in told and "do not fit into 2.00 seconds" in told


def test_mistakes_of_align(run, model, spoken_dir, tmp_path):
    recording = spoken_dir.parent / "audio/kathleen-00.wav"
    for arguments, message in (
        ((spoken_dir, "--text", "hello"), "--text is what one recording says"),
        (
            (recording, "--text", "hello", "--language", "fr"),
            "nothing could be aligned (no text rules for language 'fr'",
        ),
        ((tmp_path / "nowhere.wav",), "no such file or folder"),
        ((recording, "--text", "words " * 300), "nothing could be aligned"),
    ):
        status, _, told = run("listener", "align", model, *arguments, "--out", tmp_path / "x")
        assert status == 2 and message in told.splitlines()[-1]


def test_results_state_what_the_model_cost(run, model, spoken_dir, tmp_path):
    listener = load(model)
    facts = {"training data": "mini 0.20 h", "steps": "300 of 300", "training time": "0.01 h"}
    card = f"---\n{yaml.safe_dump({'facts': facts})}---\n# tiny\n"
    save_model(tmp_path / "tiny", listener.config, listener, card)
    run("listener", "generate", tmp_path / "tiny", spoken_dir, "--out", tmp_path / "heard")
    run("listener", "score", tmp_path / "heard", "--results", tmp_path / "RESULTS.md")
    results = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert all(f"- {key}: {value}\n" in results for key, value in {"model": "tiny", **facts}.items())
