"""The generation loop: what it sees is what training showed, rows end by themselves, frames leave at once."""

import pytest
import torch
from torch import Tensor, nn

from speechgen.heads.base import build_head
from speechgen.heads.categorical import CategoricalHeadConfig
from speechgen.heads.depth import DepthHeadConfig
from speechgen.heads.diffusion import DiffusionHeadConfig
from speechgen.heads.energy import EnergyHeadConfig
from speechgen.heads.flow import FlowHeadConfig
from speechgen.heads.gaussian import GaussianHeadConfig
from speechgen.heads.logistics import LogisticsHeadConfig
from speechgen.heads.mse import MSEHeadConfig
from speechgen.heads.one_step import OneStepHeadConfig
from speechgen.nn.transformer import Transformer, TransformerConfig
from speechgen.orders.base import build_order
from speechgen.orders.delay import DelayConfig
from speechgen.orders.layout import Step
from speechgen.orders.raster import FlatRasterConfig, RasterConfig
from speechgen.orders.stepwise import Frame, stepwise

WIDTH, CODEBOOKS, SIZE, UNIT_WIDTH = 24, 3, 7, 4
TRIPLES = {
    "continuous, raster, flow": (0, RasterConfig(), FlowHeadConfig(width=16, blocks=1)),
    "continuous, raster, one-step": (0, RasterConfig(), OneStepHeadConfig(width=16, blocks=1)),
    "continuous, raster, diffusion": (0, RasterConfig(), DiffusionHeadConfig(width=16, blocks=1)),
    "continuous, raster, energy": (0, RasterConfig(), EnergyHeadConfig(width=16, blocks=1)),
    "continuous, raster, gaussian": (0, RasterConfig(), GaussianHeadConfig(mixtures=2)),
    "continuous, raster, mse": (0, RasterConfig(), MSEHeadConfig()),
    "codes, raster, depth": (CODEBOOKS, RasterConfig(), DepthHeadConfig(width=16, layers=1, heads=2)),
    "codes, delay, categorical": (CODEBOOKS, DelayConfig(), CategoricalHeadConfig()),
    "codes, delay, depth": (CODEBOOKS, DelayConfig(delays=(0, 2, 1)), DepthHeadConfig(width=16, layers=1, heads=2)),
    "codes, flat, categorical": (CODEBOOKS, FlatRasterConfig(), CategoricalHeadConfig()),
    "one code, raster, categorical": (1, RasterConfig(), CategoricalHeadConfig()),
    "one code, raster, logistics": (1, RasterConfig(), LogisticsHeadConfig(mixtures=3)),
}


class TinyModel(nn.Module):
    """A model of any triple: a begin vector, an embedding of units, a condition vector, the backbone, the head."""

    def __init__(self, triple: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        codebooks, order, head = TRIPLES[triple]
        self.order = build_order(order, codebooks, SIZE if codebooks else 0)
        books, size = self.order.codes_per_step, self.order.vocabulary
        self.continuous = codebooks == 0
        self.head = build_head(head, WIDTH, unit_width=UNIT_WIDTH, codebooks=books, codebook_size=size)
        self.begin = nn.Parameter(torch.empty(WIDTH))
        self.latent = nn.Linear(UNIT_WIDTH, WIDTH)
        self.codes = nn.ModuleList(nn.Embedding(size + 1, WIDTH) for _ in range(books))
        self.backbone = Transformer(TransformerConfig(width=WIDTH, layers=2, heads=2))
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.4)
        self.eval()

    def embed(self, unit: Tensor) -> Tensor:
        """(N, D) or (N, K') -> (N, C)."""
        if self.continuous:
            return self.latent(unit)
        return sum(table(unit[:, book]) for book, table in enumerate(self.codes))

    def generate(self, condition: Tensor, guidance: float = 1.0, generator=None, **options) -> list[Frame]:
        """condition (N, C); the null condition is zero."""
        guided = guidance != 1.0
        rows = torch.cat([condition, torch.zeros_like(condition)]) if guided else condition
        limit = options.setdefault("limit", 6)
        state = self.backbone.initial_state(rows.shape[0], self.order.steps(limit))

        def embed(index: int, unit: Tensor | None) -> Tensor:
            x = self.begin.expand(condition.shape[0], -1) if unit is None else self.embed(unit)
            return ((torch.cat([x, x]) if guided else x) + rows).unsqueeze(1)

        return list(stepwise(self.order, self.backbone, state, embed, self.drawer(guidance), guided=guided, **options))

    def drawer(self, guidance: float):
        temperature = 0.0

        def draw(z: Tensor, z_null: Tensor | None, step: Step) -> Tensor:
            options = {}
            if self.head.config.kind == "depth":
                options["real"] = step.real
            elif self.head.config.kind == "categorical":
                options["allowed"] = step.allowed
            return self.head.sample(z, z_null, guidance, temperature, **options)

        return draw

    def training_z(self, values: Tensor, condition: Tensor) -> Tensor:
        """Teacher-forced: arranged values (N, K', S) -> z (N, S, C)."""
        before = [self.embed(values[:, :, index]) for index in range(values.shape[2] - 1)]
        x = torch.stack([self.begin.expand(condition.shape[0], -1), *before], dim=1)
        return self.backbone(x + condition.unsqueeze(1))


def stop_rows_at(*frames: int):
    return lambda z, unit, step: step.decides == torch.tensor(frames)


@pytest.mark.parametrize("guidance", [1.0, 1.8])
@pytest.mark.parametrize("triple", TRIPLES)
def test_generation_sees_what_training_showed(triple: str, guidance: float) -> None:
    """Greedy units, arranged and run through the uncached backbone, are the ones it would have drawn again."""
    model, condition = TinyModel(triple), torch.randn(2, WIDTH)
    frames = model.generate(condition, guidance, stop=stop_rows_at(5, 3))
    units = torch.stack([frame.values for frame in frames], dim=2)
    mask = torch.stack([frame.alive for frame in frames], dim=1)
    assert mask.sum(1).tolist() == [6, 4]

    arranged = model.order.forward(units, mask)
    z = model.training_z(arranged.values, condition)
    null = model.training_z(arranged.values, torch.zeros_like(condition))
    draw = model.drawer(guidance)
    for index in range(z.shape[1]):
        step = model.order.plan(index, mask.sum(1))
        again = draw(z[:, index], null[:, index] if guidance != 1.0 else None, step)
        again = again.masked_fill(~step.real, model.order.special)
        torch.testing.assert_close(again, arranged.values[:, :, index], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("triple", TRIPLES)
def test_batched_equals_single(triple: str) -> None:
    model, condition = TinyModel(triple), torch.randn(3, WIDTH)
    stops = (4, 1, 9)
    together = model.generate(condition, 1.5, stop=stop_rows_at(*stops))
    for row, stop in enumerate(stops):
        alone = model.generate(condition[row : row + 1], 1.5, stop=stop_rows_at(stop))
        mine = [frame.values[row] for frame in together if frame.alive[row]]
        assert len(alone) == len(mine) == min(stop + 1, 6)
        for frame, values in zip(alone, mine, strict=True):
            torch.testing.assert_close(frame.values[0], values, atol=1e-4, rtol=1e-4)


def test_ends_are_told_from_the_length_guard() -> None:
    model = TinyModel("codes, delay, categorical")
    frames = model.generate(torch.randn(2, WIDTH), stop=stop_rows_at(2, 99))
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.alive.tolist() for frame in frames] == [[index < 3, True] for index in range(6)]
    assert [frame.ended.tolist() for frame in frames] == [[index == 2, False] for index in range(6)]
    assert all(torch.all(frame.values[0] == SIZE) for frame in frames[3:])
    assert all(torch.all(frame.values[1] < SIZE) for frame in frames)


def test_without_a_stop_the_limit_ends_it() -> None:
    model = TinyModel("continuous, raster, flow")
    assert len(model.generate(torch.randn(1, WIDTH), limit=4)) == 4
    assert len(model.generate(torch.randn(1, WIDTH), limit=1)) == 1
    with pytest.raises(ValueError, match="at least 1 frame"):
        model.generate(torch.randn(1, WIDTH), limit=0)


@pytest.mark.parametrize(("triple", "steps"), [("codes, raster, depth", 1), ("codes, delay, categorical", 3)])
def test_a_frame_leaves_as_soon_as_it_is_whole(triple: str, steps: int) -> None:
    model, taken = TinyModel(triple), []
    state = model.backbone.initial_state(1, 20)

    def embed(index: int, unit: Tensor | None) -> Tensor:
        taken.append(index)
        return (model.begin.expand(1, -1) if unit is None else model.embed(unit)).unsqueeze(1)

    frames = stepwise(model.order, model.backbone, state, embed, model.drawer(1.0), limit=10)
    assert not taken
    next(frames)
    assert len(taken) == steps
    next(frames)
    assert len(taken) == steps + 1


def test_the_first_input_may_be_a_whole_prompt() -> None:
    model = TinyModel("codes, raster, depth")
    prompt = torch.randn(1, 5, WIDTH)

    def generate(state, first: Tensor) -> list[Tensor]:
        def embed(index: int, unit: Tensor | None) -> Tensor:
            return first if unit is None else model.embed(unit).unsqueeze(1)

        return [f.values for f in stepwise(model.order, model.backbone, state, embed, model.drawer(1.0), limit=4)]

    at_once = generate(model.backbone.initial_state(1, 9), prompt)
    prepared = model.backbone.initial_state(1, 9)
    model.backbone.step(prompt[:, :4], prepared)
    assert all(torch.equal(a, b) for a, b in zip(at_once, generate(prepared, prompt[:, 4:]), strict=True))
