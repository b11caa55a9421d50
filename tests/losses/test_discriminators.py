import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.losses.discriminators import (
    DiscriminatorConfig,
    Discriminators,
    PeriodDiscriminator,
    SpectrogramDiscriminator,
)


@pytest.fixture
def discriminators() -> Discriminators:
    torch.manual_seed(0)
    return Discriminators(DiscriminatorConfig(periods=[2, 3], windows=[256, 128], channels=2, spectrogram_channels=2))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_one_list_of_maps_per_discriminator_and_one_channel_of_logits(discriminators):
    features = discriminators(noise(3, 1, 1001))
    assert len(features) == 4
    for maps in features:
        assert all(map_.shape[0] == 3 for map_ in maps)
        assert maps[-1].shape[1] == 1


def test_default_config_has_the_published_periods_and_bands_over_the_whole_spectrum():
    discriminators = Discriminators(DiscriminatorConfig())
    periods = [m.period for m in discriminators.members if isinstance(m, PeriodDiscriminator)]
    spectral = [m for m in discriminators.members if isinstance(m, SpectrogramDiscriminator)]
    assert periods == [2, 3, 5, 7, 11]
    assert [m.window.numel() for m in spectral] == [1024, 512, 256]
    assert all(len(m.bands) == 3 for m in spectral)
    assert spectral[0].bands[0][0] == 0 and spectral[0].bands[-1][1] == 513


def test_batched_equals_single(discriminators):
    wave = noise(3, 1, 1000)
    together = discriminators(wave)
    for index in range(3):
        alone = discriminators(wave[index : index + 1])
        for maps, maps_alone in zip(together, alone, strict=True):
            for map_, map_alone in zip(maps, maps_alone, strict=True):
                torch.testing.assert_close(map_[index : index + 1], map_alone, atol=1e-5, rtol=1e-4)


def test_loudness_and_offset_do_not_matter_but_silence_stays_silent(discriminators):
    wave = noise(1, 1, 1000)
    logits = discriminators(wave)[0][-1]
    torch.testing.assert_close(discriminators(0.5 * wave + 0.2)[0][-1], logits, atol=1e-5, rtol=1e-3)
    silent = discriminators(torch.zeros(1, 1, 1000))
    hiss = discriminators(1e-5 * wave)
    assert all(torch.isfinite(maps[-1]).all() for maps in silent)
    torch.testing.assert_close(hiss[0][-1], silent[0][-1], atol=1e-3, rtol=0)


def test_period_discriminator_does_not_mix_phases_of_the_period():
    torch.manual_seed(0)
    member = PeriodDiscriminator(period=5, channels=2)
    wave = noise(1, 1, 500)
    changed = wave.clone()
    changed[..., 2::5] += 0.1
    difference = (member(wave)[-1] - member(changed)[-1]).abs().amax(dim=(0, 1, 2))
    assert difference[2] > 0
    assert difference[[0, 1, 3, 4]].max() == 0


def test_gradients_reach_the_wave_and_every_parameter(discriminators):
    wave = noise(2, 1, 1000).requires_grad_()
    sum(maps[-1].square().mean() for maps in discriminators(wave)).backward()
    assert wave.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in discriminators.parameters())


@pytest.mark.parametrize(
    "values", [{"band_edges": [0.0, 0.5, 0.2]}, {"periods": [], "windows": []}, {"periods": [0]}, {"chanels": 8}]
)
def test_impossible_configs_are_refused(values):
    with pytest.raises(UserError):
        make_config(DiscriminatorConfig, values)
