"""Groups of recordings, from what is known about them and from what is measured."""

import math

import pytest
import torch

from speechgen.evaluation.slices import find_slices, measure, signal_to_noise, thirds

RATE = 16000


def about(count=6, **extras):
    """``extras``: a list of values for each Kaldi file."""
    return {
        f"u{i}": {
            "speaker": f"s{i % 2}",
            "language": "en",
            "extras": {key: values[i] for key, values in extras.items()},
        }
        for i in range(count)
    }


def grouped(slices, by):
    return {one.value: one.names for one in slices if one.by == by}


def test_measures_of_a_known_tone():
    t = torch.arange(2 * RATE) / RATE
    tone = sum(torch.sin(2 * math.pi * 200 * k * t) / k for k in range(1, 10))
    speech = torch.where((t % 0.5) < 0.35, 0.1 * tone, 0.0)
    noise = 0.002 * torch.randn(len(t), generator=torch.Generator().manual_seed(0))
    facts = measure(speech + noise, RATE)
    assert facts["f0"] == pytest.approx(200, rel=0.02)
    assert facts["seconds"] == 2
    level = 10 * math.log10(float(speech[:5600].square().mean() / noise.square().mean()))
    assert facts["snr"] == pytest.approx(level, abs=2)
    louder = measure(2 * (speech + noise), RATE)
    assert louder["loudness"] - facts["loudness"] == pytest.approx(6.02, abs=0.1)
    assert louder["snr"] == pytest.approx(facts["snr"], abs=0.01)


def test_what_cannot_be_measured_is_left_open():
    assert measure(torch.zeros(RATE), RATE) == {"f0": None, "loudness": None, "snr": 0.0, "seconds": 1.0}
    assert signal_to_noise(torch.ones(1000), RATE) is None


def test_speaker_sex_and_age():
    known = about(spk2gender=list("mfmfmf"), spk2age=["7", "8", "15", "30", "31", "70"])
    slices = find_slices(known, {})
    assert grouped(slices, "sex") == {"female": ("u1", "u3", "u5"), "male": ("u0", "u2", "u4")}
    assert list(grouped(slices, "age")) == ["0–12", "13–19", "20–39", "60–150"]
    assert grouped(slices, "speaker")["s0"] == ("u0", "u2", "u4")
    assert not grouped(slices, "language")  # one language tells nothing apart


def test_other_facts_of_the_directory():
    known = about(utt2score=["1", "2", "3", "7", "8", "9"], utt2room=list("aabbab"), utt2note=["x"] * 6)
    slices = find_slices(known, {})
    assert grouped(slices, "score") == {
        "1.0 to 2.0": ("u0", "u1"),
        "3.0 to 7.0": ("u2", "u3"),
        "8.0 to 9.0": ("u4", "u5"),
    }
    assert set(grouped(slices, "room")) == {"a", "b"}
    assert not grouped(slices, "note")


def test_numbers_become_thirds_or_halves_or_nothing():
    values = {f"u{i}": float(i) for i in range(9)}
    assert [len(one.names) for one in thirds("x", "Hz", values)] == [3, 3, 3]
    assert [one.value for one in thirds("x", "Hz", values)] == ["0 to 2 Hz", "3 to 5 Hz", "6 to 8 Hz"]
    assert len(thirds("x", "s", dict(list(values.items())[:4]))) == 2
    assert thirds("x", "s", dict(list(values.items())[:3])) == []
    assert thirds("x", "s", dict.fromkeys(values, 1.0)) == []
