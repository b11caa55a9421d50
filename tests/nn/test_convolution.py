"""Causal convolutions: steps of any size are the whole, and nothing is seen before its time."""

import pytest
import torch

from speechgen.nn.convolution import CausalConv1d, CausalConvTranspose1d

SHAPES = [  # kernel, stride, dilation, groups
    (1, 1, 1, 1), (3, 1, 1, 1), (7, 1, 1, 4), (3, 1, 9, 1), (4, 2, 1, 1), (2, 2, 1, 1), (10, 5, 1, 2), (5, 2, 3, 1)
]  # fmt: skip
TRANSPOSED = [(2, 2, 1), (4, 2, 1), (5, 2, 1), (10, 5, 2), (3, 1, 4), (7, 3, 1)]  # kernel, stride, groups


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kernel", "stride", "dilation", "groups"), SHAPES)
@pytest.mark.parametrize("chunks", [[1] * 8, [3, 1, 4], [8]])
@torch.no_grad()
def test_steps_are_the_whole(kernel, stride, dilation, groups, chunks):
    torch.manual_seed(0)
    layer = CausalConv1d(4, 8, kernel, stride, dilation, groups)
    x = noise(2, 4, 8 * stride)
    state, pieces = layer.initial_state(2), []
    for chunk in x.split([size * stride for size in chunks], dim=-1):
        y, state = layer.step(chunk, state)
        assert y.shape[-1] == chunk.shape[-1] // stride
        pieces.append(y)
    whole = layer(x)
    assert whole.shape == (2, 8, 8)
    torch.testing.assert_close(torch.cat(pieces, -1), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kernel", "stride", "dilation", "groups"), SHAPES)
@torch.no_grad()
def test_the_future_is_not_seen(kernel, stride, dilation, groups):
    layer = CausalConv1d(4, 8, kernel, stride, dilation, groups)
    x = noise(1, 4, 12 * stride)
    changed = x.clone()
    changed[..., 6 * stride :] += 1  # frame 5 sees inputs up to 6 * stride - 1
    assert torch.equal(layer(x)[..., :6], layer(changed)[..., :6])
    changed = x.clone()
    changed[..., 6 * stride - 1] += 1
    assert not torch.equal(layer(x)[..., 5], layer(changed)[..., 5])


@pytest.mark.parametrize(("kernel", "stride", "groups"), TRANSPOSED)
@pytest.mark.parametrize("chunks", [[1] * 8, [3, 1, 4], [8]])
@torch.no_grad()
def test_transposed_steps_are_the_whole(kernel, stride, groups, chunks):
    torch.manual_seed(0)
    layer = CausalConvTranspose1d(4, 8, kernel, stride, groups)
    x = noise(2, 4, 8)
    state, pieces = layer.initial_state(2), []
    for chunk in x.split(chunks, dim=-1):
        y, state = layer.step(chunk, state)
        assert y.shape[-1] == chunk.shape[-1] * stride
        pieces.append(y)
    whole = layer(x)
    assert whole.shape == (2, 8, 8 * stride)
    torch.testing.assert_close(torch.cat(pieces, -1), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kernel", "stride", "groups"), TRANSPOSED)
@torch.no_grad()
def test_transposed_outputs_wait_for_nothing_later(kernel, stride, groups):
    layer = CausalConvTranspose1d(4, 8, kernel, stride, groups)
    x = noise(1, 4, 12)
    changed = x.clone()
    changed[..., 6:] += 1
    assert torch.equal(layer(x)[..., : 6 * stride], layer(changed)[..., : 6 * stride])
    assert not torch.equal(layer(x)[..., 6 * stride :], layer(changed)[..., 6 * stride :])


@torch.no_grad()
def test_rows_of_a_state_are_streams_of_their_own():
    layer = CausalConv1d(2, 2, 5)
    x = noise(3, 2, 9)
    _, state = layer.step(x[..., :4], layer.initial_state(3))
    together, _ = layer.step(x[..., 4:], state)
    for row in range(3):
        _, own = layer.step(x[row : row + 1, :, :4], layer.initial_state(1))
        torch.testing.assert_close(layer.step(x[row : row + 1, :, 4:], own)[0][0], together[row])


@pytest.mark.parametrize("layer", [CausalConv1d, CausalConvTranspose1d])
def test_a_kernel_shorter_than_its_stride_is_a_mistake(layer):
    with pytest.raises(AssertionError, match="stride 4"):
        layer(1, 1, 3, 4)


@torch.no_grad()
def test_without_bias():
    layer = CausalConvTranspose1d(2, 2, 4, 2)
    layer.bias = None
    x = noise(1, 2, 6)
    y, state = layer.step(x[..., :3], layer.initial_state(1))
    torch.testing.assert_close(torch.cat([y, layer.step(x[..., 3:], state)[0]], -1), layer(x))
