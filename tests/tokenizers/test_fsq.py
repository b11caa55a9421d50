import itertools

import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.tokenizers.fsq import FiniteScalarQuantizer, FiniteScalars, FSQConfig


def latents(batch: int = 2, width: int = 6, steps: int = 10, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, width, steps, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def quantizer() -> FiniteScalarQuantizer:
    torch.manual_seed(0)
    return FiniteScalarQuantizer(6, FSQConfig(levels=(4, 3), codebooks=3))


@pytest.mark.parametrize("levels", [(8, 5, 5, 5), (2, 2, 2), (3,), (7, 4)])
def test_codes_and_values_are_inverse_for_every_code(levels):
    grid = FiniteScalars(levels)
    codes = torch.arange(grid.size)
    values = grid.values(codes)
    assert values.abs().max() < 1
    assert len(values.unique(dim=0)) == grid.size
    assert torch.equal(grid.codes(values), codes)


def test_grid_by_hand():
    grid = FiniteScalars((4, 3))
    points = itertools.product([-2 / 3, 0, 2 / 3], [-0.75, -0.25, 0.25, 0.75])  # the first dimension runs fastest
    expected = torch.tensor([[first, second] for second, first in points])
    torch.testing.assert_close(grid.values(torch.arange(12)), expected)


def test_quantise_rounds_to_the_nearest_point_with_straight_through_gradient():
    grid = FiniteScalars((4, 3))
    x = (3 * latents().transpose(1, 2)[..., :2]).requires_grad_()
    points, codes = grid.quantise(x)
    torch.testing.assert_close(points, grid.values(codes))
    distance = (x.tanh()[..., None, :] - grid.values(torch.arange(12))).square()
    # the levels of a dimension are equally wide, so the nearest point is the nearest in every dimension
    assert torch.equal(codes, (distance * torch.tensor([16, 9])).sum(-1).argmin(-1))
    points.sum().backward()
    torch.testing.assert_close(x.grad, 1 - x.detach().tanh().square())


def test_extremes_stay_on_the_grid():
    grid = FiniteScalars((8, 5))
    _, codes = grid.quantise(torch.tensor([[1e9, 1e9], [-1e9, -1e9]]))
    assert codes.tolist() == [39, 0]


def test_decode_of_encode_is_what_training_passes_on_without_dropout():
    torch.manual_seed(0)
    quantizer = FiniteScalarQuantizer(6, FSQConfig(levels=(4, 3), codebooks=3, dropout=0, continuous=0))
    z = latents()
    quantized = quantizer(z, torch.Generator().manual_seed(0))
    codes = quantizer.encode(z)
    assert codes.shape == (2, 3, 10) and codes.dtype == torch.long
    assert torch.equal(quantized.codes, codes)
    torch.testing.assert_close(quantizer.decode(codes), quantized.values)
    torch.testing.assert_close(quantized.losses["tie"], 0.25 * (quantized.values - z).square().mean())


def test_fewer_codebooks_are_a_prefix(quantizer):
    z = latents()
    assert torch.equal(quantizer.encode(z, 2), quantizer.encode(z)[:, :2])
    assert quantizer.decode(quantizer.encode(z, 2)).shape == z.shape


def test_training_uses_codes_of_some_prefix_or_the_latents_themselves(quantizer):
    z = latents(batch=40)
    with torch.no_grad():
        quantized = quantizer(z, torch.Generator().manual_seed(0))
        choices = [quantizer.decode(quantizer.encode(z, count)) for count in (1, 2, 3)] + [z]
        distances = torch.stack([(quantized.values - choice).abs().amax(dim=(1, 2)) for choice in choices])
    assert distances.amin(0).max() < 1e-5
    assert set(distances.argmin(0).tolist()) == {0, 1, 2, 3}


def test_same_generator_same_draws(quantizer):
    z = latents(batch=8)
    first, again, other = (quantizer(z, torch.Generator().manual_seed(seed)).values for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_codebook_adds_detail_after_a_little_training():
    torch.manual_seed(0)
    quantizer = FiniteScalarQuantizer(4, FSQConfig(levels=(5, 5), codebooks=4))
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        z = torch.randn(16, 4, 8, generator=generator)
        quantized = quantizer(z, generator)
        loss = (quantized.values - z).square().mean() + quantized.losses["tie"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    z = torch.randn(16, 4, 8, generator=generator)
    with torch.no_grad():
        errors = [(quantizer.decode(quantizer.encode(z, count)) - z).square().mean().item() for count in (1, 2, 3, 4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.25 * errors[0]
    assert quantized.facts["codes_in_use"] > 0.8


def test_gradients_reach_latents_and_projections(quantizer):
    z = latents(batch=8).requires_grad_()
    quantized = quantizer(z, torch.Generator().manual_seed(0))
    (quantized.values.square().mean() + quantized.losses["tie"]).backward()
    assert z.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in quantizer.parameters())


@pytest.mark.parametrize("values", [{"levels": [8, 1]}, {"levels": []}, {"codebooks": 0}, {"dropout": 2}, {"level": 3}])
def test_impossible_configs_are_refused(values):
    with pytest.raises(UserError):
        make_config(FSQConfig, values)
