"""Timing speech: rows for so many streams, others beside ours, published sizes, stable keys."""

import json
import math
import sys

import pytest
import torch
from typer.testing import CliRunner

from speechgen.cli import bench as verbs
from speechgen.config import make_config
from speechgen.evaluation import bench_speech as timing
from speechgen.evaluation import speech_peers
from speechgen.evaluation.bench_speech import Other, Ours, bench_speech, random_synthesiser, random_voice
from speechgen.evaluation.speech_peers import PEERS, Peer
from speechgen.models.lines import Drawing
from speechgen.models.tts_config import TTSConfig
from speechgen.serving.synthesiser import Synthesiser

KEYS = {
    "name", "ours", "params", "precision", "steps", "guidance", "streams", "runs", "seconds", "x_real_time",
    "first_audio_ms", "streaming", "peak_memory_mb",
}  # fmt: skip


def humming() -> Peer:
    """Says a second per text, whatever is asked."""
    return Peer(torch.nn.Linear(3, 2), 1000, lambda model, text, seconds: [torch.zeros(1000) for _ in text])


def test_ours_and_others_are_timed_in_one_run(tiny_models):
    def load(precision):
        return Synthesiser.load(tiny_models / "tts", precision)

    ours = [Ours("tiny", load, random_voice, precision) for precision in ("f32", "int8")]
    report = bench_speech([*ours, Other("Hum", humming)], "the fox", [1, 3], repeats=2, threads=1)
    assert set(report) == {"machine", "threads", "text", "rows", "left_out", "targets"} and not report["left_out"]
    rows = report["rows"]
    assert [(row["name"], row["precision"], row["streams"]) for row in rows] == [
        ("tiny", "f32", 1), ("tiny", "f32", 3), ("tiny", "int8", 1), ("tiny", "int8", 3), ("Hum", "f32", 1),
        ("Hum", "f32", 3),
    ]  # fmt: skip
    for row in rows:
        assert set(row) == KEYS and row["runs"] == 2
        assert row["x_real_time"] > 0 and row["first_audio_ms"] > 0
        assert row["streaming"] == row["ours"]
        if sys.platform.startswith("linux"):
            assert math.isfinite(row["peak_memory_mb"])
    for one, three in (rows[:2], rows[2:4], rows[4:]):
        assert three["seconds"] > 2 * one["seconds"] > 0
    heard = 1000 * rows[0]["seconds"] / rows[0]["x_real_time"]
    assert rows[0]["first_audio_ms"] < heard  # before the end
    assert [(one["what"], one.get("at_least"), one.get("at_most")) for one in report["targets"][:2]] == [
        ("tiny, f32, one stream: x real time", 6.0, None),
        ("tiny, f32, one stream: first audio, ms", None, 200.0),
    ]


def test_who_is_slow_is_not_asked_for_more(monkeypatch):
    monkeypatch.setattr(timing, "PATIENCE", 0.0)
    monkeypatch.setattr(timing, "LONG", 0.0)
    report = bench_speech([Other("Hum", humming)], "hm", [1, 4, 8], repeats=5)
    (row,) = report["rows"]
    assert (row["streams"], row["runs"], row["seconds"]) == (1, 1, 1.0)
    assert row["first_audio_ms"] == pytest.approx(1000 / row["x_real_time"])  # heard when whole
    assert report["left_out"] == [{"name": "Hum", "streams": 4}, {"name": "Hum", "streams": 8}]


def test_the_verb_picks_and_writes(tiny_models, tmp_path, monkeypatch):
    monkeypatch.setitem(speech_peers.PEERS, "vits", ("Hum", humming))
    words = ["tts", "--model", str(tiny_models / "tts"), "--text", "Hi.", "--repeats", "1", "--threads", "1"]
    some = ["--streams", "2", "--steps", "1,2", "--precision", "f32", "--skip", "csm,bark"]
    done = CliRunner().invoke(verbs.app, [*words, *some, "--json", str(tmp_path / "tts.json")])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "tts.json").read_text())
    assert [(row["name"], row["steps"]) for row in report["rows"]] == [("tts", 2), ("tts", 1), ("Hum", None)]
    assert "heard when whole" in done.output and all(set(row) == KEYS for row in report["rows"])
    done = CliRunner().invoke(verbs.app, [*words, "--only", "vits", "--streams", "1"])
    assert done.exit_code == 0 and "Hum" in done.output
    for wrong in (("--only", "vitts"), ("--skip", "our"), ("--precision", "f16"), ("--streams", "0")):
        failed = CliRunner().invoke(verbs.app, [*words, *wrong])
        assert wrong[0] in str(failed.exception) and wrong[1] in str(failed.exception)


def test_without_weights_a_random_model_speaks():
    tiny = {"width": 32, "layers": 1, "heads": 2}
    values = {"text": "characters", "symbols": [" ", "h", "i"], "languages": ["en"], "transformer": tiny}
    synthesiser = random_synthesiser(make_config(TTSConfig, values))
    said = synthesiser.say("hi", random_voice(synthesiser), "en", Drawing(steps=1))
    assert said.seconds > 0 and math.isfinite(said.wave.abs().max())


@pytest.mark.parametrize(("name", "millions"), [("csm", 1632), ("vits", 36), ("bark", 410)])
def test_the_others_have_their_published_sizes(name, millions, monkeypatch):
    monkeypatch.setattr(speech_peers, "_filled", lambda make: make())
    with torch.device("meta"):
        peer = PEERS[name][1]()
    assert sum(weight.numel() for weight in peer.model.parameters()) == pytest.approx(1e6 * millions, rel=0.1)


SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
NARROW = {"num_key_value_heads": 1, "intermediate_size": 32}
SIZES = {
    "csm": {
        **SMALL, **NARROW, "text_vocab_size": 64, "pad_token_id": 1,
        "depth_decoder_config": {**SMALL, **NARROW, "backbone_hidden_size": 32},
    },
    "vits": {**SMALL, "ffn_dim": 32, "flow_size": 32, "upsample_initial_channel": 64},
    "bark": {"hidden_size": 32, "num_layers": 1, "num_heads": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_the_others_speak_to_one_and_to_many(name):
    peer = PEERS[name][1](SIZES[name])
    for streams in (1, 2):
        waves = peer.say(streams, tokens=12, seconds=0.16)
        assert len(waves) == streams and all(wave.dim() == 1 and len(wave) for wave in waves)
        if name != "vits":  # which says itself how long its speech is
            assert len(waves[0]) == pytest.approx(0.16 * peer.sample_rate, rel=0.25)


def test_csm_is_heard_though_random_weights_choose_codes_that_its_codec_lacks(monkeypatch):
    peer = PEERS["csm"][1](SIZES["csm"])
    books = peer.model.config.num_codebooks
    monkeypatch.setattr(peer.model, "generate", lambda **_: torch.full((1, 2, books), peer.model.config.vocab_size - 1))
    (wave,) = peer.say(1, tokens=12, seconds=0.16)
    assert wave.isfinite().all()
