import math

import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.tokenizers.vae import VAEConfig, VariationalBottleneck


def latents(batch: int = 2, width: int = 4, steps: int = 10) -> torch.Tensor:
    return torch.randn(batch, width, steps, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def bottleneck() -> VariationalBottleneck:
    torch.manual_seed(0)
    return VariationalBottleneck(4, VAEConfig())


def set_moments(bottleneck: VariationalBottleneck, log_deviation: float) -> None:
    """Mean = the latents themselves; the deviation is the same everywhere."""
    with torch.no_grad():
        bottleneck.moments.weight.zero_()
        bottleneck.moments.weight[:4, :, 0] = torch.eye(4)
        bottleneck.moments.bias[:4] = 0
        bottleneck.moments.bias[4:] = log_deviation


def test_inference_passes_the_mean(bottleneck):
    set_moments(bottleneck, log_deviation=0.0)
    z = latents()
    torch.testing.assert_close(bottleneck.encode(z), z)
    assert torch.equal(bottleneck.decode(z), z)
    assert bottleneck.codebooks == 0


def test_training_samples_around_the_mean(bottleneck):
    set_moments(bottleneck, log_deviation=math.log(0.5))
    z = latents(steps=5000)
    quantized = bottleneck(z, torch.Generator().manual_seed(1))
    noise = quantized.values - z
    assert quantized.codes is None
    assert noise.mean().item() == pytest.approx(0, abs=0.02)
    assert noise.std().item() == pytest.approx(0.5, abs=0.02)


def test_divergence_against_torch_distributions(bottleneck):
    torch.nn.init.normal_(bottleneck.moments.weight, std=0.3)
    z = latents()
    mean, log_deviation = bottleneck.moments(z).chunk(2, dim=1)
    posterior = torch.distributions.Normal(mean, log_deviation.exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0, 1))
    quantized = bottleneck(z, torch.Generator().manual_seed(0))
    torch.testing.assert_close(quantized.losses["kl"], 0.01 * expected.mean())
    assert quantized.facts["nats_per_frame"] == pytest.approx(4 * expected.mean().item(), rel=1e-4)


def test_a_standard_normal_costs_nothing(bottleneck):
    set_moments(bottleneck, log_deviation=0.0)
    quantized = bottleneck(torch.zeros(2, 4, 10), torch.Generator().manual_seed(0))
    assert quantized.losses["kl"].item() == pytest.approx(0, abs=1e-7)
    assert quantized.facts["active_dimensions"] == 0


def test_same_generator_same_sample(bottleneck):
    z = latents()
    first, again, other = (bottleneck(z, torch.Generator().manual_seed(seed)).values for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_sample_and_loss_stay_finite_for_wild_latents(bottleneck):
    quantized = bottleneck(1e4 * latents(), torch.Generator().manual_seed(0))
    assert torch.isfinite(quantized.values).all() and torch.isfinite(quantized.losses["kl"])


def test_gradients_reach_latents_and_moments(bottleneck):
    z = latents().requires_grad_()
    quantized = bottleneck(z, torch.Generator().manual_seed(0))
    (quantized.values.square().mean() + quantized.losses["kl"]).backward()
    assert z.grad.abs().sum() > 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in bottleneck.parameters())


def test_negative_weight_is_refused():
    with pytest.raises(UserError):
        make_config(VAEConfig, {"kl": -1})
