"""The few-rows linear layer is a linear layer."""

import pytest
import torch

from speechgen.nn.linear import Linear


@pytest.mark.parametrize("shape", [(5,), (1, 5), (2, 5), (2, 1, 5), (4, 5), (2, 2, 5), (7, 5), (0, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_equals_the_plain_product(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer, x = Linear(5, 3, bias=bias), torch.randn(shape)
    expected = torch.nn.functional.linear(x, layer.weight, layer.bias)
    with torch.no_grad():
        y = layer(x)
    torch.testing.assert_close(y, expected.detach())
    assert y.is_contiguous()
    assert layer(x).requires_grad


def test_autocast_still_rules() -> None:
    layer = Linear(5, 3)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(2, 5)).dtype == torch.bfloat16
