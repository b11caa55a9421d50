"""The mark: streamed as whole, quiet, found again after what happens to recordings, and not where it is not."""

import io

import pytest
import soundfile
import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.audio.watermark import DEPTH_DB, FALSE_ALARM, PERIOD_TILES, TILE_FRAMES, Watermarker, detect, mark

RATE = 16000


def speech(seconds: float, seed: int = 0, rate: int = RATE) -> Tensor:
    """Noise with the tilt, the syllables and the pauses of speech."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(round(seconds * rate), generator=draw)
    smooth = torch.nn.functional.avg_pool1d(noise[None], 4, 1, 2)[0][: len(noise)]
    time = torch.arange(len(noise)) / rate
    return 0.2 * (smooth + 0.2 * noise) * torch.sin(2 * torch.pi * 1.7 * time).clamp_min(0.0)


def coded(wave: Tensor, rate: int, **options) -> Tensor:
    file = io.BytesIO()
    soundfile.write(file, wave.numpy(), rate, **options)
    file.seek(0)
    decoded, decoded_rate = soundfile.read(file, dtype="float32")
    return resample(torch.from_numpy(decoded), decoded_rate, rate)


OPUS_16 = {"format": "OGG", "subtype": "OPUS", "compression_level": 0.96}
MP3 = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": 0.8}
ATTACKS = {
    "none": lambda w: w,
    "gain": lambda w: 0.05 * w,
    "crop": lambda w: w[7777:-9999],
    "8 kHz": lambda w: resample(resample(w, RATE, 8000), 8000, RATE),
    "48 kHz": lambda w: resample(resample(w, RATE, 48000), 48000, RATE),
    "opus": lambda w: coded(w, RATE, **OPUS_16),
    "mp3": lambda w: coded(w, RATE, **MP3),
    "noise": lambda w: w + 0.1 * w.std() * torch.randn(len(w), generator=torch.Generator().manual_seed(1)),
}


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100])
def test_streamed_is_whole(rate: int) -> None:
    wave = speech(1.5, rate=rate)
    watermarker = Watermarker(rate)
    sizes = [1, 7, 300, 5000, 2, 900]
    blocks, start = [], 0
    while start < len(wave):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(watermarker(wave[start : start + size]))
        start = min(start + size, len(wave))
        assert start - sum(map(len, blocks)) <= 0.032 * rate + 2  # so much is held back at most
    streamed = torch.cat([*blocks, watermarker.end()])
    assert streamed.shape == wave.shape
    torch.testing.assert_close(streamed, mark(wave, rate), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 100, 511, 512, 513, 1000])
def test_the_shortest_waves_keep_their_length(samples: int) -> None:
    wave = speech(1.0)[:samples]
    assert mark(wave, RATE).shape == wave.shape


def test_the_mark_is_small_and_silence_stays_silent() -> None:
    wave = torch.cat([speech(3.0), torch.zeros(RATE)])
    marked = mark(wave, RATE)
    ratio = 10 * torch.log10(wave.square().sum() / (marked - wave).square().sum())
    assert 14 < ratio < 24
    assert abs(20 * torch.log10(marked.norm() / wave.norm())) < DEPTH_DB / 3
    assert not marked[-RATE + 512 :].any()


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_mark_is_found_after(attack: str) -> None:
    for seed in range(3):
        found = detect(ATTACKS[attack](mark(speech(5.0, seed), RATE)), RATE)
        assert found.found and found.chance <= FALSE_ALARM


def test_nothing_is_found_where_nothing_is() -> None:
    for seed in range(10):
        assert not detect(speech(5.0, seed), RATE).found
    assert not detect(torch.zeros(5 * RATE), RATE).found
    assert not detect(torch.zeros(0), RATE).found
    tone = torch.sin(torch.arange(5 * RATE) * 2 * torch.pi * 440 / RATE)
    assert not detect(tone, RATE).found


def test_a_marked_stretch_of_a_long_recording_is_found_and_placed() -> None:
    wave = speech(40.0)
    wave[20 * RATE : 26 * RATE] = mark(wave[20 * RATE : 26 * RATE], RATE)
    found = detect(wave, RATE)
    assert found.found and found.end - found.start <= 10
    assert found.start < 26 and found.end > 20


def test_the_mark_of_another_rate_is_found() -> None:
    wave = mark(speech(4.0, rate=24000), 24000)
    assert detect(wave, 24000).found and detect(resample(wave, 24000, 44100), 44100).found


def test_a_period_lasts_a_second_or_so() -> None:
    assert 0.9 < TILE_FRAMES * PERIOD_TILES * 0.016 < 1.2
