"""Surface losses: each alone, each with its switch."""

import pytest
import torch

from speechgen.losses.surface import SurfaceConfig, SurfaceLoss

SMALL = {"stft_windows": (64, 128), "mel_windows": (64, 128), "mel_bands": (8, 10)}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def loss() -> SurfaceLoss:
    return SurfaceLoss(4000, SurfaceConfig(**SMALL))


def test_the_same_costs_nothing_and_worse_costs_more(loss):
    real = noise(2, 1, 1000)
    nothing = loss(real, real)
    assert set(nothing) == {"waveform", "stft", "mel"}
    assert all(value.item() == pytest.approx(0, abs=1e-5) for value in nothing.values())
    near, far = (loss(real + level * noise(2, 1, 1000, seed=1), real) for level in (0.1, 0.5))
    for name in nothing:
        assert 0 < near[name] < far[name]


def test_each_part_by_its_definition(loss):
    real = 3 * noise(2, 1, 4000)
    half = loss(0.5 * real, real)
    assert half["waveform"] == pytest.approx(0.5 * real.abs().mean().item(), rel=1e-5)
    assert half["mel"] == pytest.approx(torch.tensor(2.0).log().item(), rel=0.02)  # nats, but for bands on the floor


@pytest.mark.parametrize("off", ["waveform", "stft", "mel"])
def test_a_weight_of_zero_switches_a_part_off(off):
    loss = SurfaceLoss(4000, SurfaceConfig(**SMALL, **{off: 0.0}))
    wave = noise(1, 1, 500)
    assert set(loss(wave, wave)) == set(loss.weights()) == {"waveform", "stft", "mel"} - {off}


def test_weights_are_those_of_the_config():
    loss = SurfaceLoss(4000, SurfaceConfig(**SMALL, waveform=2.0, stft=0.25, mel=3.0))
    assert loss.weights() == {"waveform": 2.0, "stft": 0.25, "mel": 3.0}


def test_windows_and_bands_come_in_pairs():
    with pytest.raises(ValueError, match="zip"):
        SurfaceLoss(4000, SurfaceConfig(stft_windows=(64,), mel_windows=(64, 128), mel_bands=(8,)))


def test_silence_has_finite_gradients(loss):
    for real in (torch.zeros(1, 1, 500), noise(1, 1, 500)):
        made = torch.zeros(1, 1, 500, requires_grad=True)
        sum(loss(made, real).values()).backward()
        assert made.grad.isfinite().all()


@torch.no_grad()
def test_under_autocast_it_is_in_float32(loss):
    real, made = noise(1, 1, 500), noise(1, 1, 500, seed=1)
    plain = loss(made, real)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = loss(made, real)
    for name in plain:
        assert cast[name].dtype == torch.float32
        torch.testing.assert_close(cast[name], plain[name])
