"""Measuring the mark: shares and counts of what was done, over recordings of the right length."""

import json
from pathlib import Path

import pytest
import torch

from speechgen.audio.files import write_audio
from speechgen.errors import UserError
from speechgen.evaluation.watermark import ATTACKS, measure, to_table


def speech(seconds: float, seed: int) -> torch.Tensor:
    noise = torch.randn(round(seconds * 16000), generator=torch.Generator().manual_seed(seed))
    time = torch.arange(len(noise)) / 16000
    return 0.1 * noise * torch.sin(2 * torch.pi * 1.7 * time).clamp_min(0.0)


def test_every_attack_is_measured_on_recordings_of_the_right_length(tmp_path: Path) -> None:
    pytest.importorskip("pesq")
    for number, seconds in enumerate((1.0, 4.0, 5.0, 12.0)):
        write_audio(tmp_path / f"{number}.wav", speech(seconds, number), 16000)
    report = measure([tmp_path], 10, 16000)
    assert report["recordings"] == 2 and report["false_alarm_trials"] == 2 * len(ATTACKS)
    assert report["found"]["none"] == report["found"]["gain -20 dB"] == 1.0
    assert report["false_alarms"] == 0 and report["least_chance_unmarked"] > 1e-6
    assert 3 < report["pesq_wb"]["mean"] <= 4.65 and 14 < report["si_sdr_db"]["mean"] < 24
    json.dumps(report)
    table = to_table(report)
    assert "| none | 100 % |" in table and "False alarms: 0 of" in table


def test_a_source_without_fitting_recordings_is_refused(tmp_path: Path) -> None:
    write_audio(tmp_path / "short.wav", speech(1.0, 0), 16000)
    with pytest.raises(UserError, match="no recording of 3 to 10 s"):
        measure([tmp_path], 10, 16000)
