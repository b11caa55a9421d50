"""ConvNeXt blocks: streaming, causality, the start near the identity, autocast."""

import pytest
import torch

from speechgen.nn.convnext import ConvNeXtBlock, ConvNeXtStack


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def stack():
    torch.manual_seed(0)
    return ConvNeXtStack(8, blocks=3, kernel=5).eval()


@pytest.mark.parametrize("chunks", [[1] * 10, [4, 1, 5], [10]])
@torch.no_grad()
def test_steps_are_the_whole(chunks, stack):
    x = noise(2, 8, 10)
    state, pieces = stack.initial_state(2), []
    for chunk in x.split(chunks, dim=-1):
        y, state = stack.step(chunk, state)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, -1), stack(x), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_how_far_a_block_sees():
    causal, around = ConvNeXtBlock(8, 5), ConvNeXtBlock(8, 5, causal=False)
    x = noise(1, 8, 20)
    changed = x.clone()
    changed[..., 10] += 1
    for block, seen_by in ((causal, range(10, 15)), (around, range(8, 13))):
        moved = (block(x) != block(changed)).any(1)[0].nonzero().flatten().tolist()
        assert moved == list(seen_by)
        assert block(x).shape == x.shape


@torch.no_grad()
def test_a_fresh_stack_is_near_the_identity():
    x = noise(4, 16, 30)
    for blocks in (1, 4, 12):
        torch.manual_seed(0)
        moved = (ConvNeXtStack(16, blocks)(x) - x).norm() / x.norm()
        assert 0 < moved < 0.5


@torch.no_grad()
def test_dropout_is_for_training_only():
    torch.manual_seed(0)
    stack = ConvNeXtStack(8, 2, dropout=0.5)
    x = noise(1, 8, 10)
    assert not torch.equal(stack(x), stack(x))
    stack.eval()
    assert torch.equal(stack(x), stack(x))


@torch.no_grad()
def test_under_bfloat16_autocast_streaming_still_is_the_whole(stack):
    x = noise(2, 8, 10)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        whole = stack(x)
        first, state = stack.step(x[..., :6], stack.initial_state(2))
        second, _ = stack.step(x[..., 6:], state)
    torch.testing.assert_close(torch.cat([first, second], -1), whole, atol=0.02, rtol=0.02)
    torch.testing.assert_close(whole.float(), stack(x), atol=0.05, rtol=0.05)
