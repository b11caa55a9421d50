"""The mixture of logistics is a distribution over codes, draws what it says, and learns."""

import pytest
import torch

from speechgen.heads.logistics import LogisticsHead, LogisticsHeadConfig


def head(codebooks: int = 1, size: int = 16, mixtures: int = 4) -> LogisticsHead:
    torch.manual_seed(0)
    return LogisticsHead(LogisticsHeadConfig(mixtures=mixtures), 4, codebooks, size)


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_probabilities_of_all_codes_sum_to_one(scale: float) -> None:
    logits = scale * torch.randn(50, 1, 12)
    total = head().log_probability_of(logits.expand(-1, 16, -1), torch.arange(16).expand(50, -1)).exp().sum(1)
    torch.testing.assert_close(total, torch.ones(50), atol=1e-4, rtol=0)


def test_narrow_logistics_stay_finite() -> None:
    needles = torch.tensor([0.0] * 4 + [-3.0, -1.0, 0.1, 1.0] + [-30.0] * 4)
    found = head(size=65536).log_probability_of(needles.expand(5, -1), torch.tensor([0, 1, 30000, 36044, 65535]))
    assert found.isfinite().all()


def test_draws_follow_the_probabilities() -> None:
    network, logits = head(), torch.randn(12)
    uniforms = torch.rand(40000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes = network.draw_at(logits.expand(40000, -1), uniforms)
    wanted = network.log_probability_of(logits.expand(16, -1), torch.arange(16)).exp()
    torch.testing.assert_close(codes.bincount(minlength=16) / 40000, wanted, atol=0.01, rtol=0)
    still = network.draw_at(logits.expand(9, -1), uniforms[:9], temperature=0)
    assert still.unique().numel() == 1


@pytest.mark.parametrize("allowed", [range(0, 5), range(6, 9), range(12, 16)])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_draws_within_a_range_follow_the_probabilities_there(allowed: range, temperature: float) -> None:
    network, z = head(), torch.randn(1, 4)
    draw = torch.Generator().manual_seed(0)
    options = {"temperature": temperature, "generator": draw}
    codes = network.sample(z.expand(20000, -1), allowed=allowed, **options)[:, 0]
    everywhere = network.sample(z.expand(200000, -1), **options)[:, 0].bincount(minlength=16)
    wanted = everywhere[allowed.start : allowed.stop] / everywhere[allowed.start : allowed.stop].sum()
    drawn = codes.bincount(minlength=16)
    assert drawn.sum() == drawn[allowed.start : allowed.stop].sum()
    torch.testing.assert_close(drawn[allowed.start : allowed.stop] / 20000, wanted, atol=0.03, rtol=0)
    plainest = network.sample(z, temperature=0).clamp(allowed.start, allowed.stop - 1)
    assert torch.equal(network.sample(z, temperature=0, allowed=allowed), plainest)


def test_a_mixture_is_learned() -> None:
    """Two peaks given one condition, one given the other."""
    network, eye = head(), torch.eye(2, 4)
    table = torch.zeros(2, 16)
    table[0, 2], table[0, 12], table[1, 7:10] = 0.3, 0.7, 1 / 3
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, 400)
    draw = torch.Generator().manual_seed(0)
    for _ in range(400):
        condition = torch.randint(2, (128,), generator=draw)
        loss = network.loss(eye[condition], torch.multinomial(table[condition], 1, generator=draw))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    for condition in (0, 1):
        codes = network.sample(eye[condition].expand(4000, 4), generator=draw)
        torch.testing.assert_close(codes[:, 0].bincount(minlength=16) / 4000, table[condition], atol=0.06, rtol=0)


def test_masked_targets_are_not_there_and_guidance_acts_on_parameters() -> None:
    network, z, null = head(codebooks=2), torch.randn(6, 4), torch.randn(6, 4)
    target = torch.randint(16, (6, 2))
    mask = torch.ones(6, 2, dtype=torch.bool)
    mask[2:4, 1] = False
    special = target.masked_fill(~mask, 16)
    torch.testing.assert_close(network.loss(z, target, weights=mask), network.loss(z, special, weights=mask))
    true = network.log_probability(z, target)
    torch.testing.assert_close(network.loss(z, target, weights=mask), -(true * mask).sum() / mask.sum())
    steered = network.logits(null) + 2.0 * (network.logits(z) - network.logits(null))
    guided = network.sample(z, null, guidance=2.0, temperature=0)
    assert torch.equal(guided, network.draw_at(steered, torch.zeros(6, 2), temperature=0))
