"""Recordings become prompts: trimmed, equally loud, cut at a pause."""

from pathlib import Path

import pytest
import torch

from speechgen.audio.files import read_audio, write_audio
from speechgen.audio.loudness import loudness
from speechgen.errors import UserError
from speechgen.serving.prompts import LOUDNESS, pause_before, read_prompt, trim_silence

RATE = 16000


def tone(seconds: float) -> torch.Tensor:
    return 0.3 * torch.sin(2 * torch.pi * 300 * torch.arange(round(seconds * RATE)) / RATE)


def test_silence_at_the_ends_is_trimmed_and_pauses_stay() -> None:
    pause = torch.zeros(RATE // 2)
    wave = torch.cat([torch.zeros(RATE), tone(1), pause, tone(1), torch.zeros(2 * RATE)])
    trimmed = trim_silence(wave, RATE)
    assert abs(len(trimmed) / RATE - 2.7) < 0.05
    assert trimmed[2000:].abs().max() > 0.2


def test_faint_noise_counts_as_silence() -> None:
    hiss = 1e-4 * torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    assert len(trim_silence(torch.cat([hiss, tone(1), hiss]), RATE)) < 1.3 * RATE


def test_a_wave_is_cut_in_its_longest_pause() -> None:
    wave = torch.cat([tone(4), torch.zeros(RATE // 5), tone(6)])
    assert 4.0 <= pause_before(wave, RATE, 3.0, 6.0) <= 4.2
    assert pause_before(tone(5), RATE, 3.0, 6.0) == 5.0


@pytest.mark.parametrize("gain", [0.05, 1.0])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_every_prompt_is_equally_loud_at_the_wanted_rate(
    gain: float, rate: int, prompt_file: Path, tmp_path: Path
) -> None:
    wave, _ = read_audio(prompt_file, rate)
    write_audio(tmp_path / "a.wav", gain * wave, rate)
    prompt = read_prompt(tmp_path / "a.wav", RATE)
    assert prompt.sample_rate == RATE
    assert abs(loudness(prompt.wave, RATE) - LOUDNESS) < 0.5
    assert any("8000 Hz" in warning for warning in prompt.warnings) == (rate == 8000)


def test_messages_call_the_recording_as_asked(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"not audio at all")
    with pytest.raises(UserError) as refusal:
        read_prompt(tmp_path / "noise.wav", RATE, "Your prompt")
    assert str(refusal.value).startswith("Your prompt: ") and str(tmp_path) not in str(refusal.value)


def test_a_long_recording_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    write_audio(tmp_path / "long.wav", tone(1).repeat(400), RATE)
    with pytest.raises(UserError, match="cut out 5 to 15 seconds"):
        read_prompt(tmp_path / "long.wav", RATE)
