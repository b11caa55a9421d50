"""The transformer backbone: cached = uncached, batched = single, conditions act, bad shapes are named."""

import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.nn.transformer import Transformer, TransformerConfig

VARIANTS = {
    "plain": {},
    "gelu": {"mlp": "gelu"},
    "added condition": {"condition": "add", "condition_width": 6},
    "adaptive condition": {"condition": "adaln", "condition_width": 6},
    "cross-attention": {"cross_attention": True},
    "everything": {"condition": "adaln", "condition_width": 6, "cross_attention": True},
}


def make(**changes) -> Transformer:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(width=24, layers=3, heads=3, **changes)).eval()
    for weight in model.parameters():
        # Larger than a real start, zero-started gates included, so that a wrong branch shows.
        torch.nn.init.normal_(weight, std=0.3)
    return model


def inputs(model: Transformer, batch: int) -> dict:
    given = {}
    if model.config.cross_attention:
        given["memory"] = torch.randn(batch, 5, 24)
        given["memory_mask"] = torch.arange(5) < torch.randint(1, 6, (batch, 1))
    if model.config.condition != "none":
        given["condition"] = torch.randn(batch, 6)
    return given


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("chunks", [[11], [1] * 11, [5, 1, 1, 4], [1, 10]])
def test_cached_equals_uncached(variant: str, chunks: list[int]) -> None:
    model = make(**VARIANTS[variant])
    x, given = torch.randn(2, 11, 24), inputs(model, 2)
    state = model.initial_state(2, 16, **given)
    pieces = []
    for chunk in x.split(chunks, dim=1):
        z, state = model.step(chunk, state)
        pieces.append(z)
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(x, **given), atol=1e-5, rtol=1e-5)
    assert state.length == 11


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("causal", [True, False])
def test_batched_equals_single(variant: str, causal: bool) -> None:
    model = make(causal=causal, **VARIANTS[variant])
    lengths = torch.tensor([9, 4, 1])
    x, given = torch.randn(3, 9, 24), inputs(model, 3)
    mask = torch.arange(9) < lengths[:, None]
    together = model(x, mask, **given)
    for row, length in enumerate(lengths.tolist()):
        alone = model(x[row : row + 1, :length], **{name: value[row : row + 1] for name, value in given.items()})
        torch.testing.assert_close(together[row : row + 1, :length], alone, atol=1e-5, rtol=1e-5)
        assert torch.all(together[row, length:] == 0)


def test_prompts_padded_on_the_left_equal_single() -> None:
    model = make()
    lengths = [7, 3]
    prompts, rest = torch.randn(2, 7, 24), torch.randn(2, 4, 24)
    mask = torch.arange(7) >= 7 - torch.tensor(lengths)[:, None]
    state = model.initial_state(2, 11)
    model.step(prompts, state, mask)
    first, state = model.step(rest[:, :3], state)
    last, state = model.step(rest[:, 3:], state)
    for row, length in enumerate(lengths):
        alone = model(torch.cat([prompts[row, 7 - length :], rest[row]])[None])
        together = torch.cat([first, last], dim=1)[row]
        torch.testing.assert_close(together, alone[0, length:], atol=1e-5, rtol=1e-5)


def test_nothing_flows_from_the_future() -> None:
    model = make()
    x = torch.randn(1, 8, 24)
    changed = x.clone()
    changed[:, 5:] += 1
    torch.testing.assert_close(model(x)[:, :5], model(changed)[:, :5])
    assert not torch.allclose(model(x)[:, 5:], model(changed)[:, 5:])


def test_a_clone_continues_on_its_own() -> None:
    model = make()
    prompt, one, other = torch.randn(1, 4, 24), torch.randn(1, 1, 24), torch.randn(1, 1, 24)
    state = model.initial_state(1, 8)
    model.step(prompt, state)
    fork = state.clone()
    model.step(one, state)
    z, fork = model.step(other, fork)
    torch.testing.assert_close(z, model(torch.cat([prompt, other], dim=1))[:, -1:], atol=1e-5, rtol=1e-5)
    assert (state.length, fork.length) == (5, 5)


def test_a_row_without_memory_reads_nothing() -> None:
    model = make(cross_attention=True)
    x, memory = torch.randn(1, 3, 24), torch.randn(1, 5, 24)
    nothing = torch.zeros(1, 5, dtype=torch.bool)
    unread = model(x, None, memory, nothing)
    torch.testing.assert_close(unread, model(x, None, memory + 1, nothing))
    assert unread.isfinite().all()
    assert not torch.allclose(unread, model(x, None, memory))


def test_only_relative_positions_count() -> None:
    """Attention scores of rotated vectors depend on the distance alone (Su et al. 2021, section 3.1)."""
    model = make()
    x, lead = torch.randn(1, 6, 24), torch.randn(1, 5, 24)
    state = model.initial_state(1, 11)
    model.step(lead, state, torch.zeros(1, 5, dtype=torch.bool))
    shifted, _ = model.step(x, state)
    torch.testing.assert_close(shifted, model(x), atol=1e-5, rtol=1e-5)


def test_training_reaches_every_weight() -> None:
    torch.manual_seed(0)
    config = TransformerConfig(
        width=24, layers=2, heads=3, cross_attention=True, condition="adaln", condition_width=6, dropout=0.1
    )
    model = Transformer(config).train()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    model(torch.randn(2, 5, 24), memory=torch.randn(2, 3, 24), condition=torch.randn(2, 6)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


def test_bad_use_is_named() -> None:
    with pytest.raises(UserError, match="width 20 does not divide into 3 heads"):
        make_config(TransformerConfig, {"width": 20, "heads": 3})
    with pytest.raises(UserError, match="condition and condition_width belong together"):
        make_config(TransformerConfig, {"condition": "adaln"})
    model = make()
    with pytest.raises(ValueError, match="5 positions do not fit in a state made for 4"):
        model.step(torch.randn(1, 5, 24), model.initial_state(1, 4))
    with pytest.raises(ValueError, match="only a causal transformer"):
        make(causal=False).initial_state(1, 4)
    with pytest.raises(ValueError, match="memory is needed"):
        make(cross_attention=True)(torch.randn(1, 2, 24))
    with pytest.raises(ValueError, match="a vector was given"):
        model(torch.randn(1, 2, 24), condition=torch.randn(1, 6))


@pytest.mark.parametrize("variant", ["plain", "everything"])
def test_bfloat16_autocast_trains_and_stays_close(variant: str) -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(width=24, layers=2, heads=3, **VARIANTS[variant])).train()
    x, given = torch.randn(2, 7, 24), inputs(model, 2)
    with torch.autocast("cpu", torch.bfloat16):
        z = model(x, **given)
    z.float().square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    torch.testing.assert_close(z.float(), model(x, **given), atol=0.05, rtol=0.05)
