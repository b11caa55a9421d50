import math
from functools import cache

import pytest
import torch

from speechgen.errors import UserError
from speechgen.evaluation import metrics
from speechgen.evaluation.metrics import (
    Dnsmos,
    Metrics,
    SpeakerSimilarity,
    Unscorable,
    estoi,
    mel_distance,
    pesq_wb,
    si_sdr,
    stft_distance,
    stoi,
)

RATE = 16000


@cache
def buzz(seconds=3.0, pitch=120.0, seed=0, rate=RATE):
    """Something like a voice: a buzz through two resonances, one of them moving, with pauses."""
    t = torch.arange(int(seconds * rate)) / rate
    phase = 2 * math.pi * pitch * t + 3 * torch.sin(2 * math.pi * 1.5 * t)
    first = 700 + 400 * torch.sin(2 * math.pi * 2.3 * t)
    wave = torch.zeros_like(t)
    for harmonic in range(1, 30):
        level = torch.exp(-(((harmonic * pitch - first) / 300) ** 2))
        level += 0.3 * math.exp(-(((harmonic * pitch - 2300) / 400) ** 2))
        wave += level * torch.sin(harmonic * phase)
    noise = torch.randn(len(t), generator=torch.Generator().manual_seed(seed))
    syllables = (torch.sin(2 * math.pi * 1.2 * t) > -0.6).float()
    return 0.2 * (wave * syllables + 0.003 * noise)


def noisy(wave, level, seed=1):
    return wave + level * torch.randn(len(wave), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("metric", [pesq_wb, stoi, estoi, si_sdr])
def test_more_noise_is_worse(metric):
    clean = buzz()
    scores = [metric(clean, noisy(clean, level), RATE) for level in (0.0, 0.01, 0.1)]
    assert scores[0] > scores[1] > scores[2]


@pytest.mark.parametrize("metric", [mel_distance, stft_distance])
def test_distances_grow_with_noise(metric):
    clean = buzz()
    scores = [metric(clean, noisy(clean, level), RATE) for level in (0.0, 0.01, 0.1)]
    assert scores[0] == 0
    assert 0 < scores[1] < scores[2]


def test_published_ends_of_the_scales():
    clean = buzz()
    assert pesq_wb(clean, clean, RATE) == pytest.approx(4.644, abs=0.01)
    assert stoi(clean, clean, RATE) == pytest.approx(1.0, abs=1e-6)
    assert si_sdr(clean, clean, RATE) == 100


def test_si_sdr_by_its_definition():
    clean = buzz() - buzz().mean()
    noise = torch.randn(len(clean), generator=torch.Generator().manual_seed(0))
    noise -= noise.mean()
    noise -= clean * (noise @ clean) / (clean @ clean)  # orthogonal, so that the ratio is known
    noise *= 0.1 * clean.norm() / noise.norm()
    assert si_sdr(clean, 0.5 * (clean + noise), RATE) == pytest.approx(20.0, abs=0.01)


def test_mel_distance_of_half_the_level_is_six_decibel():
    # Loud noise in every band, so that no band rests on the floor.
    loud = torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    assert mel_distance(loud, 0.5 * loud, RATE) == pytest.approx(6.02, abs=0.01)
    assert stft_distance(loud, 0.5 * loud, RATE) == pytest.approx(6.02, abs=0.05)


def test_other_rates_are_resampled():
    clean = buzz(rate=24000)
    worse = noisy(clean, 0.02)
    assert 1 < pesq_wb(clean, worse, 24000) < 4.5
    assert mel_distance(clean, worse, 24000) > 0


def test_long_recordings_are_scored_in_pieces():
    # Ninety seconds with a pause every second: in one piece this overruns the reference implementation.
    clean = buzz(seconds=90)
    assert pesq_wb(clean, clean, RATE) == pytest.approx(4.644, abs=0.01)


def test_dnsmos_is_the_library_s_own_overall_score():
    from speechmos import dnsmos

    wave = noisy(buzz(), 0.01)[: int(2.6 * RATE)].clamp(-1, 1)  # repeated to 10.4 s, of which one window is scored
    expected = dnsmos.run(wave.numpy(), RATE)["ovrl_mos"]
    assert Dnsmos()(None, wave, RATE) == pytest.approx(expected, abs=1e-4)


def test_dnsmos_averages_the_windows_of_a_long_recording():
    dnsmos = Dnsmos()
    assert 1 < dnsmos(None, buzz(seconds=11), RATE) < 5


def test_similarity_prefers_the_same_voice():
    similarity = SpeakerSimilarity()
    voice, same, other = buzz(pitch=110, seed=0), buzz(pitch=110, seed=5), buzz(pitch=260, seed=0)
    assert similarity(voice, voice, RATE) == pytest.approx(1.0, abs=1e-5)
    assert similarity(voice, same, RATE) > similarity(voice, other, RATE)


@pytest.mark.parametrize("metric", [pesq_wb, stoi, si_sdr, Dnsmos, SpeakerSimilarity])
def test_silence_is_not_scored(metric):
    metric = metric() if isinstance(metric, type) else metric
    silence = torch.zeros(2 * RATE)
    with pytest.raises(Unscorable):
        metric(silence, silence, RATE)


def test_too_little_to_score_is_said():
    with pytest.raises(Unscorable, match="PESQ: .*[Bb]uffer"):
        pesq_wb(buzz()[:1600], buzz()[:1600], RATE)
    with pytest.raises(Unscorable, match="STOI: "):
        stoi(buzz()[:1600], buzz()[:1600], RATE)


def test_all_metrics_at_once():
    clean = buzz()
    scores = Metrics()(clean, noisy(clean, 0.01), RATE)
    assert list(scores) == list(metrics.METRICS)
    assert all(math.isfinite(score) for score in scores.values())


def test_an_output_of_another_length_is_a_failure():
    with pytest.raises(Unscorable, match=r"holds 1.00 seconds of 3.00"):
        Metrics(["si_sdr"])(buzz(), buzz()[:RATE], RATE)


def test_an_output_with_nan_is_a_failure():
    broken = buzz().clone()
    broken[100] = math.nan
    with pytest.raises(Unscorable, match="no finite value"):
        Metrics(["mel"])(buzz(), broken, RATE)


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(UserError, match="'pesq'; did you mean 'pesq_wb'"):
        Metrics(["pesq"])


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(metrics.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pesq is not installed; pip install 'speechgen\[eval\]'"):
        Metrics(["pesq_wb"])
