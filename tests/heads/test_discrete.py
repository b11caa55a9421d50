"""Categorical and depth heads learn a joint table; sampling options; cached = uncached; masks."""

import pytest
import torch
from torch.nn import functional as F

from speechgen.heads.categorical import CategoricalHead, CategoricalHeadConfig
from speechgen.heads.depth import DepthHead, DepthHeadConfig

SMALL = {"width": 24, "layers": 2, "heads": 2}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def depth(codebooks: int = 3, size: int = 5) -> DepthHead:
    torch.manual_seed(0)
    head = DepthHead(DepthHeadConfig(**SMALL), width=4, codebooks=codebooks, codebook_size=size)
    for weight in head.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return head.eval()


def categorical(codebooks: int = 3, size: int = 5, **options) -> CategoricalHead:
    torch.manual_seed(0)
    return CategoricalHead(CategoricalHeadConfig(**options), width=4, codebooks=codebooks, codebook_size=size)


# Two conditions, two codebooks of three codes: the second book is tied to the first.
TABLE = torch.tensor(
    [
        [[0.5, 0.0, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 0.2]],
        [[0.0, 0.1, 0.2], [0.3, 0.0, 0.0], [0.0, 0.4, 0.0]],
    ]
)


def learned_table(head: torch.nn.Module, steps: int) -> torch.Tensor:
    """Train on draws from TABLE, then count 4000 samples per condition: (2, 3, 3)."""
    optimiser = torch.optim.AdamW(head.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps)
    draw = generator()
    eye = torch.eye(2, 4)
    for _ in range(steps):
        condition = torch.randint(2, (128,), generator=draw)
        cell = torch.multinomial(TABLE.flatten(1)[condition], 1, generator=draw).squeeze(1)
        loss = head.loss(eye[condition], torch.stack([cell // 3, cell % 3], dim=1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    head.eval()
    counts = []
    for condition in (0, 1):
        codes = head.sample(eye[condition].expand(4000, 4), generator=draw)
        counts.append(F.one_hot(codes[:, 0] * 3 + codes[:, 1], 9).float().mean(0).view(3, 3))
    return torch.stack(counts)


def test_depth_learns_the_joint_table() -> None:
    torch.manual_seed(0)
    head = DepthHead(DepthHeadConfig(**SMALL), width=4, codebooks=2, codebook_size=3)
    torch.testing.assert_close(learned_table(head, 250), TABLE, atol=0.06, rtol=0)


def test_categorical_learns_the_marginals_but_not_the_tie() -> None:
    """Why K > 1 in parallel needs the delay order: independent draws are the product of the marginals."""
    found = learned_table(categorical(2, 3), 250)
    product = TABLE.sum(2, keepdim=True) * TABLE.sum(1, keepdim=True)
    torch.testing.assert_close(found, product, atol=0.06, rtol=0)
    assert (found - TABLE).abs().max() > 0.15


def test_depth_may_learn_from_a_share_of_the_positions() -> None:
    z, codes, weights, draw = torch.randn(40, 4), torch.randint(5, (40, 3)), torch.ones(40), generator()
    whole = depth().loss(z, codes, draw, weights).detach()
    head = depth()
    head.config = DepthHeadConfig(**SMALL, share=0.25)
    torch.testing.assert_close(head.loss(z, codes, draw, weights), whole)  # while it is not trained, all of them
    drawn = torch.stack([head.train().loss(z, codes, draw, weights) for _ in range(300)]).detach()
    assert drawn.std() > 0.01  # others each time
    torch.testing.assert_close(drawn.mean(), whole, atol=4 * drawn.std() / 300**0.5, rtol=0)
    head.config = DepthHeadConfig(**SMALL, share=0.001)
    assert head.loss(z, codes, draw).isfinite()  # one at least


def test_depth_cached_equals_uncached() -> None:
    head = depth()
    z, codes = torch.randn(6, 4), torch.randint(5, (6, 3))
    state = head.transformer.initial_state(6, 3)
    x = head.input(z).unsqueeze(1)
    rows = []
    for book in range(3):
        logits, state = head._step(x, state, book)
        rows.append(logits)
        x = head.embedding(codes[:, book] + min(book, 1) * 6).unsqueeze(1)
    torch.testing.assert_close(torch.stack(rows, dim=1), head.logits(z, codes), atol=1e-5, rtol=1e-5)


def test_depth_greedy_codes_are_the_argmax_of_the_uncached_logits() -> None:
    head = depth()
    z, null = torch.randn(6, 4), torch.randn(6, 4)
    greedy = head.sample(z, temperature=0)
    assert torch.equal(head.logits(z, greedy).argmax(-1), greedy)
    guided = head.sample(z, null, guidance=2.5, temperature=0)
    steered = head.logits(null, guided) + 2.5 * (head.logits(z, guided) - head.logits(null, guided))
    assert torch.equal(steered.argmax(-1), guided)
    assert not torch.equal(guided, greedy)
    alone = torch.cat([head.sample(row[None], temperature=0) for row in z])
    assert torch.equal(alone, greedy)


def test_depth_sees_only_the_codes_before() -> None:
    head = depth()
    z, codes = torch.randn(2, 4), torch.randint(5, (2, 3))
    changed = codes.clone()
    changed[:, 1] = (changed[:, 1] + 1) % 5
    first, second = head.logits(z, codes), head.logits(z, changed)
    torch.testing.assert_close(first[:, :2], second[:, :2])
    assert not torch.allclose(first[:, 2], second[:, 2])


def test_depth_draws_nothing_where_the_order_has_no_unit() -> None:
    head = depth()
    z = torch.randn(2, 4)
    real = torch.tensor([[True, False, True], [True, True, True]])
    codes = head.sample(z, temperature=0, real=real)
    assert codes[0, 1] == 5
    assert torch.equal((codes == 5), ~real)
    # The third code was drawn after the special token, as in training.
    assert torch.equal(head.logits(z, codes)[:, 2].argmax(-1), codes[:, 2])


@pytest.mark.parametrize("make", [categorical, depth])
def test_masked_targets_are_not_there(make) -> None:
    head = make()
    z, target = torch.randn(4, 4), torch.randint(5, (4, 3))
    # The last codebook is masked: no later one of the frame reads it.
    mask = torch.ones(4, 3, dtype=torch.bool)
    mask[1:3, 2] = False
    special = target.masked_fill(~mask, 5)
    torch.testing.assert_close(head.loss(z, target, weights=mask), head.loss(z, special, weights=mask))
    assert not torch.allclose(head.loss(z, target, weights=mask), head.loss(z, target))
    rows = torch.tensor([1.0, 0.0, 2.0, 0.0])
    kept = (head.loss(z[:1], target[:1]) + 2 * head.loss(z[2:3], target[2:3])) / 3
    torch.testing.assert_close(head.loss(z, target, weights=rows), kept)
    assert head.loss(z, target, weights=torch.zeros(4)) == 0


def test_label_smoothing_and_log_probability() -> None:
    z, target = torch.randn(4, 4), torch.randint(5, (4, 3))
    plain, smooth = categorical(), categorical(label_smoothing=0.2)
    log_probabilities = plain.logits(z).log_softmax(-1)
    true = plain.log_probability(z, target)
    torch.testing.assert_close(plain.loss(z, target), -true.mean())
    torch.testing.assert_close(smooth.loss(z, target), -(0.8 * true.mean() + 0.2 * log_probabilities.mean()))


def test_categorical_guidance_and_allowed_range() -> None:
    head = categorical()
    z, null = torch.randn(8, 4), torch.randn(8, 4)
    steered = head.logits(null) + 3 * (head.logits(z) - head.logits(null))
    assert torch.equal(head.sample(z, null, guidance=3.0, temperature=0), steered.argmax(-1))
    assert torch.equal(head.sample(z, null, temperature=0), head.logits(z).argmax(-1))
    codes = head.sample(z.repeat(50, 1), allowed=range(2, 4), generator=generator())
    assert set(codes.flatten().tolist()) == {2, 3}


@pytest.mark.parametrize("make", [categorical, depth])
def test_every_weight_learns(make) -> None:
    head = make()
    head.train()
    head.loss(torch.randn(9, 4), torch.randint(5, (9, 3))).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in head.parameters())
