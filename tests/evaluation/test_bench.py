"""Timing: rows, ratios, targets, and what the others are."""

import json

import pytest
import torch
from typer.testing import CliRunner

from speechgen.cli import bench as verbs
from speechgen.config import make_config
from speechgen.evaluation.bench import (
    PUBLISHED,
    Candidate,
    bench_codecs,
    codec_candidates,
    use_threads,
)
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.pretrained import PretrainedCodec
from speechgen.tokenizers.codec import CodecConfig, build_codec
from speechgen.tokenizers.presets import PRESETS


def tiny_codec(width: int = 8):
    stack = {"kind": "spectral", "width": 16, "blocks": 1, "window": 640}
    rvq = {"codebooks": 4, "codebook_size": 16, "code_width": 4}
    values = {"width": width, "encoder": stack, "decoder": stack, "bottleneck": rvq}
    return build_codec(make_config(CodecConfig, values))


class Foreign(torch.nn.Module):
    """A codec of ours behind the words that transformers' have: nothing of it streams."""

    def __init__(self):
        super().__init__()
        self.inner = tiny_codec(16)
        self.sample_rate, self.codebooks = self.inner.sample_rate, self.inner.codebooks
        self.kbps, self.encode, self.decode = self.inner.kbps, self.inner.encode, self.inner.decode


def test_codecs_are_timed_in_one_run_and_compared():
    candidates = [Candidate("speech-16k", True, tiny_codec), Candidate("Mimi", False, Foreign)]
    report = bench_codecs(candidates, seconds=0.4, repeats=2, threads=[1, 2], batches=[1, 3])
    assert report["machine"]
    ways = [(row["name"], row["threads"], row["batch"], row["way"]) for row in report["rows"]]
    ours = [("speech-16k", t, b, way) for t in (1, 2) for b in (1, 3) for way in ("offline", "streamed")]
    assert ways == [*ours, *(("Mimi", t, b, "offline") for t in (1, 2) for b in (1, 3))]
    rows = dict(zip(ways, report["rows"], strict=True))
    for (name, threads, batch, way), row in rows.items():
        assert row["x_real_time"] > 0 and row["runs"] in (1, 2)
        assert row["x_real_time"] <= min(row["encode_x_real_time"], row["decode_x_real_time"])
        assert ("times" in row) == (name == "speech-16k" and way == "offline")
        if "times" in row:
            other = rows["Mimi", threads, batch, "offline"]
            assert row["times"] == {"Mimi": row["x_real_time"] / other["x_real_time"]}
    best = rows["speech-16k", 2, 1, "offline"]
    assert best["params"] == sum(p.numel() for p in tiny_codec().parameters())
    whole, ratio = report["targets"]
    assert (whole["at_least"], whole["measured"]) == (100, best["x_real_time"])
    assert (ratio["at_least"], ratio["met"]) == (25, best["times"]["Mimi"] >= 25)


def test_slow_codecs_are_not_run_again(monkeypatch):
    monkeypatch.setattr("speechgen.evaluation.bench.PATIENCE", 0.0)
    report = bench_codecs([Candidate("a", True, tiny_codec)], 0.1, repeats=50, threads=[1], batches=[1])
    assert [row["runs"] for row in report["rows"]] == [1, 1]


def test_the_verb_shows_every_row(monkeypatch, tmp_path):
    candidates = [Candidate("speech-16k", True, tiny_codec), Candidate("Mimi", False, Foreign)]
    monkeypatch.setattr("speechgen.evaluation.bench.codec_candidates", lambda precisions: candidates)
    words = ["codec", "--threads", "1", "--batch", "2,1", "--seconds", "0.2", "--repeats", "1"]
    done = CliRunner().invoke(verbs.app, [*words, "--json", str(tmp_path / "codec.json")])
    assert done.exit_code == 0, done.output
    assert done.output.count("streamed") == 2 and "speech-16k: times Mimi" in done.output
    assert len(json.loads((tmp_path / "codec.json").read_text())["rows"]) == 6
    for wrong in ("two", "0", "1.5", ","):
        failed = CliRunner().invoke(verbs.app, ["codec", "--threads", wrong])
        assert "--threads" in str(failed.exception) and "whole numbers" in str(failed.exception)


def test_all_presets_run_against_the_three_others():
    names = {candidate.name: candidate.ours for candidate in codec_candidates()}
    assert names == {**dict.fromkeys(PRESETS, True), "EnCodec-24k": False, "Mimi": False, "DAC-16k": False}


def test_ours_are_timed_in_every_precision_they_have():
    ours = [(one.name, one.precision) for one in codec_candidates(["f32", "int8"]) if one.ours]
    assert ours == [
        (name, precision)
        for name in PRESETS
        for precision in ("f32", "int8")
        if (name, precision) != ("seanet-16k", "int8")
    ]


def test_targets_say_which_precision_met_them():
    candidates = [Candidate("speech-16k", True, tiny_codec, one) for one in ("f32", "int8")]
    candidates.append(Candidate("Mimi", False, Foreign))
    report = bench_codecs(candidates, seconds=0.2, repeats=1, threads=[1], batches=[1])
    names = [target["what"] for target in report["targets"]]
    assert names == [f"speech-16k{way}: {what}" for way in ("", " in int8") for what in ("x real time", "times Mimi")]


@pytest.mark.parametrize(
    "name, sample_rate, frame_rate, codebooks",
    [("EnCodec-24k", 24000, 75, 32), ("Mimi", 24000, 12.5, 32), ("DAC-16k", 16000, 50, 12)],
)
def test_the_others_have_their_published_sizes(name, sample_rate, frame_rate, codebooks):
    kind, values = PUBLISHED[name]
    with torch.device("meta"):
        codec = PretrainedCodec.from_config(kind, values)
    assert (codec.sample_rate, codec.frame_rate, codec.codebooks) == (sample_rate, frame_rate, codebooks)


def test_threads_are_set_back():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), use_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_the_machine_is_described_in_one_line():
    line = describe_machine()
    assert "\n" not in line
    assert f"torch {torch.__version__.split('+')[0]}" in line and f"{torch.get_num_threads()} threads" in line
    assert "cores" in line and "GiB" in line
