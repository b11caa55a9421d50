"""Loudness by BS.1770."""

import math

import pytest
import torch

from speechgen.audio.loudness import loudness, match_loudness


def tone(level, seconds=1.0, frequency=997.0, rate=48000):
    return level * torch.sin(2 * torch.pi * frequency * torch.arange(round(seconds * rate)) / rate)


def test_a_full_scale_tone_has_the_loudness_that_the_standard_states():
    # BS.1770-4: a 0 dBFS sine of 997 Hz in one front channel reads -3.01 LKFS; torchaudio's shelf reads 0.27 less.
    assert loudness(tone(1.0), 48000) == pytest.approx(-3.01 - 0.27, abs=0.02)


def test_half_the_amplitude_is_6_db_less():
    assert loudness(tone(0.5), 48000) - loudness(tone(0.25), 48000) == pytest.approx(6.02, abs=0.01)


@pytest.mark.parametrize("seconds", [0.02, 0.3, 2.0])
def test_matching_reaches_the_target_for_short_and_long_waves(seconds):
    assert loudness(match_loudness(tone(0.02, seconds), 48000, -23.0), 48000) == pytest.approx(-23.0, abs=0.1)


def test_matching_never_clips():
    wave = torch.zeros(48000)
    wave[::4800] = 0.5  # clicks: a high peak for little loudness
    assert match_loudness(wave, 48000, -10.0).abs().max() <= 0.99


def test_silence_stays_silence():
    assert loudness(torch.zeros(16000), 16000) == -math.inf
    assert torch.equal(match_loudness(torch.zeros(16000), 16000), torch.zeros(16000))
