"""Audio files in and out."""

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.audio.files import AudioError, read_audio, read_audio_info, read_channels, write_audio


def tone(seconds=0.5, rate=16000, frequency=440.0, level=0.5):
    return level * torch.sin(2 * torch.pi * frequency * torch.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "A.WAV", "with space 🎧.wav"])
def test_lossless_formats_give_the_samples_back(tmp_path, name):
    wave = tone()
    write_audio(tmp_path / name, wave, 16000)
    back, rate = read_audio(tmp_path / name)
    assert rate == 16000 and back.dtype == torch.float32 and back.shape == wave.shape
    assert (back - wave).abs().max() <= 1 / 32768


@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "a.mp3"])
def test_lossy_formats_keep_the_tone(tmp_path, name):
    wave = tone(2.0)
    write_audio(tmp_path / name, wave, 16000)
    back, rate = read_audio(tmp_path / name, 16000)
    spectrum = torch.fft.rfft(back[8000:24000]).abs()
    assert rate == 16000 and spectrum.argmax() == 440
    assert abs(len(back) - len(wave)) < 2400


def test_channels_are_averaged_in_reading_and_kept_in_writing(tmp_path):
    stereo = torch.stack([tone(), torch.zeros(8000)])
    write_audio(tmp_path / "a.wav", stereo, 16000)
    samples, _ = read_channels(tmp_path / "a.wav")
    assert samples.shape == (8000, 2)
    wave, _ = read_audio(tmp_path / "a.wav")
    assert torch.allclose(wave, stereo.mean(0), atol=1e-4)


def test_reading_at_another_rate_resamples(tmp_path):
    write_audio(tmp_path / "a.wav", tone(1.0, 44100), 44100)
    wave, rate = read_audio(tmp_path / "a.wav", 16000)
    assert rate == 16000 and len(wave) == 16000
    assert torch.allclose(wave[1000:-1000], tone(1.0)[1000:-1000], atol=2e-3)


@pytest.mark.parametrize("encoding", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_every_sample_format_is_read_to_the_same_scale(tmp_path, encoding):
    soundfile.write(tmp_path / "a.wav", tone().numpy(), 16000, subtype=encoding)
    wave, _ = read_audio(tmp_path / "a.wav")
    assert torch.allclose(wave, tone(), atol=1 / 100 if encoding == "PCM_U8" else 1 / 16384)


def test_info_states_what_the_header_says(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros((4000, 2)), 8000)
    info = read_audio_info(tmp_path / "a.flac")
    assert (info.sample_rate, info.channels, info.samples, info.seconds) == (8000, 2, 4000, 0.5)
    assert (info.format, info.encoding) == ("FLAC", "PCM_16")


@settings(max_examples=25, deadline=None)
@given(samples=st.lists(st.integers(-32768, 32767), min_size=1, max_size=50))
def test_16_bit_samples_survive_writing_exactly(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("audio") / "a.flac"
    wave = torch.tensor(samples, dtype=torch.float32) / 32768
    soundfile.write(path, np.array(samples, dtype=np.int16), 16000)
    assert torch.equal(read_audio(path)[0], wave)


def broken(folder, fault):
    path = folder / "a.wav"
    if fault == "a folder":
        path.mkdir()
    elif fault == "zero bytes":
        path.touch()
    elif fault == "header only":
        soundfile.write(path, np.zeros(0), 16000)
    elif fault == "text":
        path.write_text("this is no audio")
    elif fault == "nan":
        soundfile.write(path, np.array([0.1, np.nan, 0.2]), 16000, subtype="FLOAT")
    elif fault == "infinite":
        soundfile.write(path, np.array([0.1, np.inf, 0.2]), 16000, subtype="DOUBLE")
    elif fault == "cut header":
        soundfile.write(path, tone().numpy(), 16000)
        path.write_bytes(path.read_bytes()[:20])
    return path


@pytest.mark.parametrize(
    "fault, said",
    [
        ("missing", "no such file"),
        ("a folder", "is a folder"),
        ("zero bytes", "is empty"),
        ("header only", "no samples"),
        ("text", "no readable audio"),
        ("nan", "NaN"),
        ("infinite", "NaN or infinite"),
        ("cut header", "a.wav: "),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(tmp_path, fault, said):
    path = broken(tmp_path, fault)
    with pytest.raises(AudioError) as error:
        read_audio(path)
    assert said in str(error.value) and "a.wav" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, wave, said",
    [
        ("a.xyz", tone(), "cannot write .xyz"),
        ("a", tone(), "without extension"),
        ("a.wav", torch.tensor([0.0, float("nan")]), "NaN"),
        ("a.wav", torch.zeros(2, 3, 4), "shape"),
        ("missing/a.wav", tone(), "does not exist; make it first"),
    ],
)
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, name, wave, said):
    with pytest.raises(AudioError, match=said):
        write_audio(tmp_path / name, wave, 16000)
    assert list(tmp_path.iterdir()) == []


def test_opus_names_the_rates_it_has(tmp_path):
    with pytest.raises(AudioError, match="44100 Hz.*24000"):
        write_audio(tmp_path / "a.opus", tone(), 44100)


def test_a_failed_write_keeps_the_older_file(tmp_path):
    write_audio(tmp_path / "a.wav", tone(), 16000)
    before = (tmp_path / "a.wav").read_bytes()
    with pytest.raises(AudioError):
        write_audio(tmp_path / "a.wav", torch.tensor([float("inf")]), 16000)
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_samples_beyond_full_scale_are_clipped_not_wrapped(tmp_path):
    write_audio(tmp_path / "a.wav", torch.tensor([2.0, -2.0, 0.0]), 16000)
    wave, _ = read_audio(tmp_path / "a.wav")
    assert wave[0] > 0.99 and wave[1] < -0.99 and wave[2] == 0
