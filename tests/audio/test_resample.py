"""Change of sample rate."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.audio.resample import resample
from speechgen.errors import UserError


def tone(frequency, rate):
    """A second of it, computed in double precision: a phase in single precision is noise of -60 dB by itself."""
    return torch.sin(2 * torch.pi * frequency * torch.arange(rate, dtype=torch.float64) / rate).float()


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 3000), from_rate=st.sampled_from([8000, 16000, 22050, 48000, 192000]))
def test_the_length_is_the_rounded_up_ratio(length, from_rate):
    assert resample(torch.zeros(length), from_rate, 16000).shape == (math.ceil(length * 16000 / from_rate),)


def test_the_same_rate_changes_nothing():
    wave = torch.randn(100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resample(wave, 16000, 16000), wave)


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 48000])
def test_a_tone_below_both_limits_survives(rate):
    assert torch.allclose(resample(tone(1000, rate), rate, 16000)[500:-500], tone(1000, 16000)[500:-500], atol=1e-5)


def test_a_tone_above_the_new_limit_goes():
    assert resample(tone(10000, 48000), 48000, 16000)[200:-200].abs().max() < 1e-5


def test_every_leading_dimension_is_resampled_alone():
    waves = torch.randn(2, 3, 800, generator=torch.Generator().manual_seed(0))
    together = resample(waves, 16000, 24000)
    assert together.shape == (2, 3, 1200)
    assert torch.allclose(together[1, 2], resample(waves[1, 2], 16000, 24000), atol=1e-6)


@pytest.mark.parametrize("rates", [(0, 16000), (16000, -1)])
def test_impossible_rates_are_refused(rates):
    with pytest.raises(UserError, match="positive"):
        resample(torch.zeros(10), *rates)
