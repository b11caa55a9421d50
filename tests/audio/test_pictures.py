import math

import numpy as np
import pytest
import torch

from speechgen.audio.pictures import mel_decibel, spectrogram_pair, spectrogram_png

RATE = 16000


def tone(frequency, seconds=0.5):
    return 0.5 * torch.sin(2 * math.pi * frequency * torch.arange(int(seconds * RATE)) / RATE)


def test_a_higher_tone_lies_in_a_higher_band():
    low, high = (mel_decibel(tone(f), RATE).mean(1).argmax() for f in (300, 3000))
    assert low < high


def test_half_the_level_is_six_decibel_less():
    wave = torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    difference = mel_decibel(wave, RATE) - mel_decibel(0.5 * wave, RATE)
    assert difference.mean() == pytest.approx(6.02, abs=0.01)


def test_a_pair_is_a_picture_of_both():
    picture = spectrogram_pair(tone(300), tone(3000), RATE)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == 160 and picture.shape[2] == 3
    # The low tone is bright at the bottom of the upper half, the high tone nearer the top of the lower one.
    upper, lower = picture[:80].sum((1, 2)).argmax(), picture[80:].sum((1, 2)).argmax()
    assert upper > lower


def test_png_of_one_and_of_two():
    one = spectrogram_png(tone(300), RATE)
    two = spectrogram_png(tone(300), RATE, reference=tone(400)[:-400], title="a tone")
    assert one.startswith(b"\x89PNG") and two.startswith(b"\x89PNG")
    assert _height(two) > _height(one)


def _height(png):
    return int.from_bytes(png[20:24], "big")
