"""Speculative decoding: the target's own distribution whatever the draft proposes, in fewer passes of the target."""

from itertools import product

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from speechgen.heads.categorical import CategoricalHead, CategoricalHeadConfig
from speechgen.nn.transformer import Transformer, TransformerConfig
from speechgen.orders.base import build_order
from speechgen.orders.delay import DelayConfig
from speechgen.orders.raster import FlatRasterConfig, RasterConfig
from speechgen.orders.speculative import Speaker, Tally, judge, speculate
from speechgen.orders.stepwise import Walk, stepwise

SIGNIFICANT = 1e-3  # probability of a chance result at least as far off, below which it is no chance
ORDERS = {"one code": (1, RasterConfig()), "delay": (2, DelayConfig()), "flat": (2, FlatRasterConfig())}


class Model(nn.Module):
    """Codes from the left with random weights; ``guided`` doubles the rows, of which the second half is told less."""

    def __init__(self, order: str, size: int, width: int = 8, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.order = build_order(ORDERS[order][1], ORDERS[order][0], size)
        books, size = self.order.codes_per_step, self.order.vocabulary
        self.codes = nn.ModuleList(nn.Embedding(size + 1, width) for _ in range(books))
        self.begin = nn.Parameter(torch.empty(2, width))
        self.backbone = Transformer(TransformerConfig(width=width, layers=2, heads=2))
        self.head = CategoricalHead(CategoricalHeadConfig(), width, books, size)
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.5)
        self.eval()

    def embed(self, rows: int, guided: bool):
        def embed(index: int, unit: Tensor | None) -> Tensor:
            told = self.begin[: 1 + guided].repeat_interleave(rows, 0)
            if unit is not None:
                x = sum(table(unit[:, book]) for book, table in enumerate(self.codes))
                told = 0.3 * told + x.repeat(1 + guided, 1)
            return told.unsqueeze(1)

        return embed

    def speaker(self, frames: int, rows: int = 1, guidance: float = 1.0, temperature: float = 1.0) -> Speaker:
        def probabilities(z, z_null, step):
            return self.head.probabilities(z, z_null, guidance, temperature, step.allowed)

        guided = guidance != 1.0
        state = self.backbone.initial_state(rows * (1 + guided), self.order.steps(frames))
        return Speaker(self.backbone, state, self.embed(rows, guided), probabilities)


def speculated(
    model: Model, draft: Model, frames: int, seed: int, rows: int = 1, ahead: int = 3, stop=None, **drawing
) -> tuple[Tensor, Tally]:
    """Frames (rows, K, T) and what was accepted."""
    tally, generator = Tally(), torch.Generator().manual_seed(seed)
    target, small = (one.speaker(frames, rows, **drawing) for one in (model, draft))
    walk = Walk(model.order, target.embed, frames, stop)
    guided = drawing.get("guidance", 1.0) != 1.0
    made = speculate(walk, target, small, ahead=ahead, guided=guided, generator=generator, tally=tally)
    return torch.stack([frame.values for frame in made], 2), tally


def alone(model: Model, frames: int, rows: int = 1, guidance: float = 1.0, stop=None) -> Tensor:
    """What the target says greedily without a draft."""
    speaker = model.speaker(frames, rows, guidance)

    def draw(z: Tensor, z_null: Tensor | None, step) -> Tensor:
        return model.head.sample(z, z_null, guidance, 0.0, allowed=step.allowed)

    options = {"limit": frames, "guided": guidance != 1.0, "stop": stop}
    made = stepwise(model.order, model.backbone, speaker.state, speaker.embed, draw, **options)
    return torch.stack([frame.values for frame in made], 2)


@torch.no_grad()
def exact(model: Model, frames: int, guidance: float) -> dict[tuple, float]:
    """The probability of every sequence of one code per frame, by the uncached backbone."""
    sequences = torch.tensor(list(product(range(model.order.vocabulary), repeat=frames)))
    total = torch.zeros(len(sequences), dtype=torch.double)
    embed, guided = model.embed(len(sequences), guidance != 1.0), guidance != 1.0
    units = [None, *(sequences[:, place : place + 1] for place in range(frames - 1))]
    z = model.backbone(torch.cat([embed(place, unit) for place, unit in enumerate(units)], 1))
    z, null = z.chunk(2) if guided else (z, z)
    for place in range(frames):
        odds = model.head.probabilities(z[:, place], null[:, place] if guided else None, guidance)
        total += odds[:, 0].gather(1, sequences[:, place : place + 1]).log()[:, 0]
    return dict(zip(map(tuple, sequences.tolist()), total.exp().tolist(), strict=True))


def test_a_judged_code_has_the_targets_distribution() -> None:
    torch.manual_seed(0)
    count, size = 20_000, 5
    target, draft = (torch.randn(2, size).mul(1.5).softmax(-1).double().expand(count, -1, -1) for _ in range(2))
    proposed = torch.stack([torch.multinomial(draft[0], count, replacement=True)], 0)[0].T.contiguous()
    codes, kept = judge(proposed, target, draft, torch.ones(count, 2, dtype=torch.bool))
    for book in range(2):
        seen = torch.bincount(codes[:, book], minlength=size)
        assert chisquare(seen, count * target[0, book] / target[0, book].sum()).pvalue > SIGNIFICANT
    # Independent given the step, so that pairs are as likely as the product says.
    pairs = torch.bincount(codes[:, 0] * size + codes[:, 1], minlength=size**2)
    assert chisquare(pairs, count * torch.outer(target[0, 0], target[0, 1]).flatten()).pvalue > SIGNIFICANT
    likely = torch.minimum(target[0, 0], draft[0, 0]).sum().item()  # Leviathan et al. 2023, corollary 3.6
    assert kept[:, 0].double().mean().item() == pytest.approx(likely, abs=0.02)
    assert torch.equal(codes[kept], proposed[kept])


@pytest.mark.parametrize(("rows", "guidance"), [(1, 1.0), (2, 1.6)])
def test_sequences_have_the_targets_distribution(rows: int, guidance: float) -> None:
    model, draft, frames, runs = Model("one code", 2), Model("one code", 2, width=4, seed=1), 4, 500 // rows
    odds = exact(model, frames, guidance)
    assert sum(odds.values()) == pytest.approx(1)
    counts, accepted = dict.fromkeys(odds, 0), []
    for seed in range(runs):
        units, tally = speculated(model, draft, frames, seed, rows, guidance=guidance)
        accepted.append(tally.accepted < tally.judged)
        for row in units[:, 0].tolist():
            counts[tuple(row)] += 1
    assert 0.1 < sum(accepted) / runs < 0.99  # both ways were taken
    # Rare sequences are counted together: the test needs some of each kind.
    rare = [one for one in odds if odds[one] * runs * rows < 5]
    kinds = [[one] for one in odds if one not in rare] + ([rare] if rare else [])
    seen, expected = ([sum(of[one] for one in kind) for kind in kinds] for of in (counts, odds))
    assert len(kinds) > 4
    assert chisquare(seen, [runs * rows * share for share in expected]).pvalue > SIGNIFICANT


@pytest.mark.parametrize("order", ORDERS)
def test_a_draft_that_is_the_target_is_always_right(order: str) -> None:
    model = Model(order, 5)
    units, tally = speculated(model, model, frames=9, seed=0, rows=2, ahead=4)
    assert tally.accepted == tally.judged > 0 and tally.share == 1
    steps = model.order.steps(9)
    assert tally.steps == steps and tally.passes == -(-steps // 5)
    assert units.shape == (2, ORDERS[order][0], 9) and units.max() < 5


@pytest.mark.parametrize("guidance", [1.0, 1.8])
@pytest.mark.parametrize("ahead", [1, 3, 20])
@pytest.mark.parametrize("order", ORDERS)
def test_greedy_speculation_is_greedy(order: str, ahead: int, guidance: float) -> None:
    """Token for token, which also shows that what was refused is gone from both caches."""
    model, draft = Model(order, 6), Model(order, 6, width=4, seed=3)
    units, tally = speculated(model, draft, 8, 0, 2, ahead, guidance=guidance, temperature=0.0)
    assert torch.equal(units, alone(model, 8, 2, guidance))
    assert tally.accepted < tally.judged and tally.passes <= tally.steps == model.order.steps(8)


@pytest.mark.parametrize("order", ORDERS)
def test_what_was_drawn_is_what_the_uncached_backbone_saw(order: str) -> None:
    """After any refusals, every z of the target is that of one pass over the finished units."""
    model, draft, seen = Model(order, 6), Model(order, 6, width=4, seed=3), []
    target, small = (one.speaker(8) for one in (model, draft))
    probabilities = target.probabilities

    def recording(z, z_null, step):
        seen.append((step.index, z))
        return probabilities(z, z_null, step)

    target.probabilities = recording
    walk = Walk(model.order, target.embed, 8)
    generator = torch.Generator().manual_seed(5)
    frames = list(speculate(walk, target, small, generator=generator))
    assert [index for index, _ in seen] == list(range(model.order.steps(8)))
    values = model.order.forward(torch.stack([frame.values for frame in frames], 2)).values
    embed = model.embed(1, False)
    units = [None, *(values[:, :, index] for index in range(values.shape[2] - 1))]
    with torch.no_grad():
        z = model.backbone(torch.cat([embed(index, unit) for index, unit in enumerate(units)], 1))
    torch.testing.assert_close(torch.stack([one for _, one in seen], 1), z, atol=1e-5, rtol=1e-4)


def test_rows_end_where_the_target_says() -> None:
    model, draft = Model("delay", 6), Model("delay", 6, width=4, seed=3)

    def stop(z, unit, step):
        return torch.tensor([step.decides == 5, step.decides == 2])

    units, _ = speculated(model, draft, 9, 0, 2, stop=stop, temperature=0.0)
    assert units.shape[2] == 6
    assert torch.equal(units, alone(model, 9, 2, stop=stop))


def test_a_draft_that_proposes_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        speculated(Model("delay", 5), Model("delay", 5), 3, 0, ahead=0)
