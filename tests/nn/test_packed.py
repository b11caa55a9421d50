"""Packed matrices: the same products where the weights fit, near ones where they are rounded; training is untouched."""

import pytest
import torch
from torch import nn

from speechgen.nn.packed import MOST_ROWS, PackedLinear, pack_linears
from speechgen.nn.transformer import Transformer, TransformerConfig

NEAR = {"f32": 1e-6, "bf16": 1e-2, "int8": 3e-2}  # relative error of a product


def linear(bias: bool = True, halves: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    layer = nn.Linear(48, 96, bias)
    if halves:
        layer.half().float()
    return layer.requires_grad_(False)


@pytest.mark.parametrize("halves", [True, False], ids=["stored in halves", "of 32 bits"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("precision", NEAR)
@torch.no_grad()
def test_products_are_as_near_as_the_precision_says(precision: str, bias: bool, halves: bool) -> None:
    plain = linear(bias, halves)
    packed = PackedLinear(plain, precision)
    for shape in ((48,), (1, 48), (2, 48), (3, 5, 48), (MOST_ROWS + 1, 48)):
        x = torch.randn(shape)
        y, exact = packed(x), plain(x)
        assert y.shape == exact.shape and y.dtype == torch.float32
        assert (y - exact).norm() <= NEAR[precision] * exact.norm()
    assert packed.weight is plain.weight and packed.state_dict().keys() == plain.state_dict().keys()


@torch.no_grad()
def test_rounding_happens_only_where_asked() -> None:
    x, plain = torch.randn(2, 48), linear(halves=False)
    errors = {name: (PackedLinear(plain, name)(x) - plain(x)).abs().max().item() for name in NEAR}
    assert errors["f32"] < 1e-5 < errors["bf16"] and errors["int8"] > 1e-5


def test_gradients_are_those_of_the_plain_layer() -> None:
    plain = linear().requires_grad_(True)
    x = torch.randn(2, 48)
    PackedLinear(plain, "int8")(x).square().sum().backward()
    assert plain.weight.grad is not None and plain.weight.grad.any()


@pytest.mark.parametrize("precision", NEAR)
def test_a_packed_transformer_is_near_and_cached_is_uncached(precision: str) -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(width=32, layers=2, heads=2)).eval().half().float().requires_grad_(False)
    x = torch.randn(1, 9, 32)
    plain = model(x)
    pack_linears(model, precision)
    assert all(isinstance(one, PackedLinear) for one in model.modules() if isinstance(one, nn.Linear))
    with torch.no_grad():
        whole = model(x)
        state = model.initial_state(1, 9)
        steps = torch.cat([model.step(one, state)[0] for one in x.split(1, dim=1)], dim=1)
    for made in (whole, steps):
        assert (made - plain).norm() <= 3 * NEAR[precision] * plain.norm()
    if precision == "f32":
        torch.testing.assert_close(steps, whole, atol=1e-5, rtol=1e-5)
