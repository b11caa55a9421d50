"""The WaveNet stack: steps equal the whole, conditions, and in two dimensions raster order."""

import pytest
import torch

from speechgen.nn.masked import MaskedConv2d
from speechgen.nn.wavenet import WaveNetStack, dilation_cycle


def stack(**options) -> WaveNetStack:
    torch.manual_seed(0)
    return WaveNetStack(**{"dilations": [1, 2, 4, 1, 2], "residual": 6, "skip": 5, **options}).requires_grad_(False)


def test_dilations_begin_again() -> None:
    assert dilation_cycle(5, 3) == [1, 2, 4, 1, 2]
    assert WaveNetStack(dilation_cycle(30, 10), 2, 2).receptive_field == 3 * 1023 + 1


@pytest.mark.parametrize("condition", [0, 3])
def test_steps_equal_the_whole(condition: int) -> None:
    network, x = stack(condition=condition), torch.randn(2, 6, 20)
    told = torch.randn(2, 3, 20) if condition else None
    state, skips = network.initial_state(2), []
    for t in range(20):
        skip, state = network.step(x[..., t], state, told[..., t] if condition else None)
        skips.append(skip)
    torch.testing.assert_close(torch.stack(skips, dim=-1), network(x, told))


def test_held_conditions_equal_repeated_ones() -> None:
    network, x, told = stack(condition=3), torch.randn(2, 6, 20), torch.randn(2, 3, 3)
    repeated = told.repeat_interleave(8, dim=-1)[..., :20]
    torch.testing.assert_close(network(x, told, hold=8), network(x, repeated))
    torch.testing.assert_close(network(x, told[..., :1]), network(x, told[..., :1].expand(-1, -1, 20)))


def test_biases_are_what_the_condition_adds() -> None:
    network, told = stack(condition=3), torch.randn(2, 3, 4)
    biases = network.biases(told, 2)
    assert biases.shape == (2, 4, 5, 12)
    layer = network.layers[3]
    torch.testing.assert_close(biases[:, :, 3].mT, layer.condition(told) + layer.dilated.bias[:, None])
    assert stack().biases(None, 2).shape == (2, 1, 5, 12)


def test_an_output_sees_its_receptive_field_and_nothing_later() -> None:
    network = stack()
    x = torch.randn(1, 6, 30).requires_grad_()
    network(x)[0, :, 20].sum().backward()
    seen = x.grad.abs().sum((0, 1)).nonzero().flatten()
    assert seen.min() == 20 - network.receptive_field + 1
    assert seen.max() == 20


def test_on_pictures_it_is_causal_in_raster_order() -> None:
    torch.manual_seed(0)
    first = MaskedConv2d(3, 6, kernel=5, centre=False)
    network, height, width = stack(dimensions=2), 7, 6
    picture = torch.randn(1, 3, height, width).requires_grad_()
    out = network(first(picture))
    assert out.shape == (1, 5, height, width)
    for row, column in ((0, 0), (3, 2), (6, 5)):
        (gradient,) = torch.autograd.grad(out[0, :, row, column].sum(), picture, retain_graph=True)
        seen = gradient.abs().sum((0, 1)).flatten()
        place = row * width + column
        assert not seen[place:].any()
        assert row == 0 or seen[place - width] > 0
        assert column == 0 or seen[place - 1] > 0
