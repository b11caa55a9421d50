"""Baselines: real bytes, aligned output, missing programs, wrong names."""

import math
import shutil

import pytest
import torch

from speechgen.errors import UserError
from speechgen.evaluation import baselines
from speechgen.evaluation.baselines import Codec2, CodingError, Opus, OpusEnc, Recording, fit, lateness, make_baselines

RATE = 16000


def voice(seconds=1.5, rate=RATE):
    t = torch.arange(int(seconds * rate)) / rate
    wave = sum(torch.sin(2 * math.pi * 140 * k * t) / k for k in range(1, 12))
    return 0.15 * wave * (torch.sin(2 * math.pi * 2 * t).clamp_min(0) + 0.02)


def test_a_recording_costs_two_bytes_a_sample():
    wave = voice()
    again, size = Recording().reconstruct(wave, RATE)
    assert torch.equal(again, wave)
    assert size == 2 * len(wave)


def test_opus_spends_about_what_it_is_told_and_stays_in_time():
    wave = voice()
    sizes, errors = [], []
    for kbps in (8, 32):
        decoded, size = Opus(kbps).reconstruct(wave, RATE)
        assert decoded.shape == wave.shape
        sizes.append(size * 8 / 1000 / 1.5)
        errors.append(float((decoded - wave).norm() / wave.norm()))
    # The container takes its part of so short a clip.
    assert 6 < sizes[0] < 14 and 24 < sizes[1] < 42
    assert errors[1] < errors[0] and errors[1] < 0.5


@pytest.mark.parametrize("rate", [11025, 22050, 44100])
def test_opus_takes_rates_that_it_does_not_have(rate):
    wave = voice(0.5, rate)
    decoded, _ = Opus(64).reconstruct(wave, rate)
    assert decoded.shape == wave.shape
    assert torch.nn.functional.cosine_similarity(decoded, wave, dim=0) > 0.95


def test_opus_refuses_bitrates_that_it_lacks():
    with pytest.raises(UserError, match="opus:3: libsndfile's Opus goes from 6 to 256"):
        Opus(3)


@pytest.mark.skipif(not shutil.which("opusenc"), reason="opusenc is not installed")
def test_opusenc_is_as_good_as_opus():
    wave = voice()
    decoded, size = OpusEnc(64).reconstruct(wave, RATE)
    assert decoded.shape == wave.shape
    assert torch.nn.functional.cosine_similarity(decoded, wave, dim=0) > 0.95
    assert 30 < size * 8 / 1000 / 1.5 < 150  # noise-like sound costs a variable bitrate more than it was asked for


@pytest.mark.skipif(not shutil.which("c2enc"), reason="codec2 is not installed")
def test_codec2_spends_its_bitrate_and_is_moved_into_time():
    wave = voice()
    decoded, size = Codec2(3.2).reconstruct(wave, RATE)
    assert decoded.shape == wave.shape
    assert size * 8 / 1000 / 1.5 == pytest.approx(3.2, rel=0.05)
    frames = [w.unfold(0, 320, 160).norm(dim=-1) for w in (wave, decoded)]
    loudness = torch.corrcoef(torch.stack(frames))[0, 1]
    assert loudness > 0.7


def test_codec2_names_its_bitrates():
    with pytest.raises(UserError, match=r"codec2:2: Codec2 has 0.7, .*3.2 kbit/s"):
        Codec2(2)


def test_a_late_wave_is_found_to_be_late():
    wave = voice()
    late = torch.cat([torch.zeros(163), wave])
    assert abs(lateness(wave, late, 400) - 163) <= 8
    assert lateness(wave, wave, 400) == 0


def test_fit_cuts_and_pads():
    assert fit(torch.ones(3), 5).tolist() == [1, 1, 1, 0, 0]
    assert fit(torch.ones(5), 3).tolist() == [1, 1, 1]


def test_names_bitrates_and_what_is_missing(monkeypatch):
    monkeypatch.setattr(baselines.shutil, "which", lambda program: None)
    systems, absent = make_baselines("opus, opus:24,codec2", [3.0])
    assert [system.name for system in systems] == ["opus-6k", "opus-8k", "opus-12k", "opus-16k", "opus-24k"]
    assert absent == {"codec2": "c2enc is not installed (apt-get install codec2)"}
    assert make_baselines("", [3.0]) == ([], {})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("opsu", "no baseline 'opsu'; did you mean 'opus'"),
        ("opus:fast", "'fast' is no bitrate"),
        ("encodec:nowhere", "nowhere: no config.json of transformers' encodec"),
        ("mimi", "give 'mimi:FOLDER'"),
    ],
)
def test_wrong_names_are_explained(names, message):
    with pytest.raises(UserError, match=message):
        make_baselines(names, [3.0])


def test_a_codec_of_ours_may_be_a_baseline():
    systems, absent = make_baselines("speechgen:speech-16k", [1.5, 3])
    assert [system.name for system in systems] == ["speech-16k-1.5k", "speech-16k-3k"] and not absent
    with pytest.raises(UserError, match="no model of that name"):
        make_baselines("speechgen:speech-17k", [3])


def test_a_failing_program_is_a_failure_of_the_utterance():
    with pytest.raises(CodingError, match="sh: exit 3: no good"):
        baselines._run(["sh", "-c", "echo no good >&2; exit 3"])
