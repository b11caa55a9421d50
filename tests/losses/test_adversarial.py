import pytest
import torch

from speechgen.losses.adversarial import (
    adversarial_loss,
    discriminator_loss,
    discriminator_losses,
    feature_matching_loss,
    generator_losses,
)
from speechgen.losses.discriminators import DiscriminatorConfig, Discriminators

TINY = DiscriminatorConfig(periods=[2, 3], windows=[256], channels=4, spectrogram_channels=4)


@pytest.fixture
def discriminators() -> Discriminators:
    torch.manual_seed(0)
    return Discriminators(TINY)


def tones(generator: torch.Generator, batch: int = 4, length: int = 1000) -> torch.Tensor:
    """Harmonic tones (B, 1, T) of random pitch, as a stand-in for recordings."""
    pitch = 0.01 + 0.02 * torch.rand(batch, 1, 1, generator=generator)
    time = torch.arange(length)
    return sum(0.1 / k * torch.sin(2 * torch.pi * k * pitch * time) for k in range(1, 6))


def noise(generator: torch.Generator, batch: int = 4, length: int = 1000) -> torch.Tensor:
    return 0.1 * torch.randn(batch, 1, length, generator=generator)


def features(*logits: float) -> list[list[torch.Tensor]]:
    """One discriminator per value, with a hidden map of ones and constant logits."""
    return [[torch.ones(2, 3, 4), torch.full((2, 1, 4), value)] for value in logits]


def test_least_squares_by_hand():
    assert discriminator_loss(features(1.0), features(0.0)).item() == 0
    assert discriminator_loss(features(0.5), features(0.5)).item() == pytest.approx(0.5)
    # mean over two discriminators of (1 - r)^2 + f^2
    assert discriminator_loss(features(0.0, 1.0), features(2.0, 1.0)).item() == pytest.approx((1 + 4 + 0 + 1) / 2)
    assert adversarial_loss(features(1.0, 1.0)).item() == 0
    assert adversarial_loss(features(0.0, 3.0)).item() == pytest.approx((1 + 4) / 2)


def test_hinge_by_hand():
    assert discriminator_loss(features(1.5), features(-1.5), "hinge").item() == 0
    assert discriminator_loss(features(0.0), features(0.0), "hinge").item() == pytest.approx(2)
    assert discriminator_loss(features(0.5), features(0.25), "hinge").item() == pytest.approx(0.5 + 1.25)
    assert adversarial_loss(features(0.5, 2.5), "hinge").item() == pytest.approx(-1.5)


def test_feature_matching_is_relative_and_ignores_logits():
    real = [[torch.full((2, 3), 2.0), torch.zeros(2, 1)]]
    fake = [[torch.full((2, 3), 3.0), torch.ones(2, 1)]]
    assert feature_matching_loss(real, fake).item() == pytest.approx(0.5)
    louder = [[10 * map_ for map_ in maps] for maps in real], [[10 * map_ for map_ in maps] for maps in fake]
    assert feature_matching_loss(*louder).item() == pytest.approx(0.5)


def test_feature_matching_is_zero_for_identical_waveforms_only(discriminators):
    generator = torch.Generator().manual_seed(0)
    real, other = tones(generator), noise(generator)
    assert generator_losses(discriminators, real, real.clone())["feature_matching"].item() == 0
    assert generator_losses(discriminators, real, other)["feature_matching"].item() > 0.1


def test_each_step_trains_its_own_side_only(discriminators):
    generator = torch.Generator().manual_seed(0)
    real, fake = tones(generator), noise(generator).requires_grad_()
    sum(generator_losses(discriminators, real, fake).values()).backward()
    assert fake.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in discriminators.parameters())

    fake.grad = None
    discriminator_losses(discriminators, real, fake)["discriminator"].backward()
    assert fake.grad is None
    assert all(parameter.grad is not None for parameter in discriminators.parameters())


def test_feature_matching_can_be_switched_off(discriminators):
    generator = torch.Generator().manual_seed(0)
    real, fake = tones(generator), noise(generator)
    assert set(generator_losses(discriminators, real, fake)) == {"adversarial", "feature_matching"}
    assert set(generator_losses(discriminators, real, fake, feature_matching=False)) == {"adversarial"}


@pytest.mark.parametrize("kind, separated", [("least_squares", 0.35), ("hinge", 1.0)])
def test_thirty_steps_separate_tones_from_noise(discriminators, kind, separated):
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(discriminators.parameters(), lr=2e-3, betas=(0.8, 0.99))
    for _ in range(30):
        loss = discriminator_losses(discriminators, tones(generator), noise(generator), kind)["discriminator"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        real, fake = discriminators(tones(generator)), discriminators(noise(generator))
    assert discriminator_loss(real, fake, kind).item() < separated
    for real_maps, fake_maps in zip(real, fake, strict=True):
        assert real_maps[-1].mean() > fake_maps[-1].mean()


def test_adversarial_training_moves_a_generator_towards_the_recordings(discriminators):
    """A single filter learns to colour noise like the recordings: both sides train, nothing diverges."""
    generator = torch.Generator().manual_seed(2)
    colour = torch.tensor([0.5, 0.4, 0.1]).view(1, 1, 3)

    def recordings() -> torch.Tensor:
        return torch.nn.functional.conv1d(noise(generator), colour, padding=1)

    network = torch.nn.Conv1d(1, 1, 3, padding=1, bias=False)
    torch.nn.init.constant_(network.weight, 0)
    network.weight.data[0, 0, 1] = 1.0
    optimizers = [torch.optim.AdamW(m.parameters(), lr=2e-3, betas=(0.8, 0.99)) for m in (discriminators, network)]

    def lag_one_correlation(wave: torch.Tensor) -> float:
        return ((wave[..., 1:] * wave[..., :-1]).mean() / wave.square().mean()).item()

    first = network(noise(generator))
    for _ in range(40):
        real, fake = recordings(), network(noise(generator))
        discriminator = discriminator_losses(discriminators, real, fake)["discriminator"]
        optimizers[0].zero_grad()
        discriminator.backward()
        optimizers[0].step()
        adversarial = generator_losses(discriminators, real, fake)["adversarial"]
        optimizers[1].zero_grad()
        adversarial.backward()
        optimizers[1].step()
        assert torch.isfinite(discriminator) and torch.isfinite(adversarial)
    last, target = network(noise(generator)), recordings()
    assert abs(lag_one_correlation(first)) < 0.05
    assert lag_one_correlation(target) > 0.5
    assert lag_one_correlation(last) > 0.1
