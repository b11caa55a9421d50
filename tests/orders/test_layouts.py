"""Layouts: inverse(forward(units)) == units, special tokens and masks where they belong."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.orders.delay import Delay, DelayConfig
from speechgen.orders.raster import FlatRaster, Raster

SIZE = 11


@st.composite
def grids(draw) -> tuple[object, torch.Tensor, torch.Tensor]:
    """An order with units (B, K, T) and a right-padded mask (B, T)."""
    batch, codebooks, frames = draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 9))
    delays = [0, *draw(st.lists(st.integers(0, 4), min_size=codebooks - 1, max_size=codebooks - 1))]
    order = draw(
        st.sampled_from(
            [
                Raster(codebooks, SIZE),
                FlatRaster(codebooks, SIZE),
                Delay(codebooks, SIZE),
                Delay(codebooks, SIZE, delays),
            ]
        )
    )
    units = torch.randint(SIZE, (batch, codebooks, frames), generator=torch.Generator().manual_seed(frames))
    lengths = torch.tensor(draw(st.lists(st.integers(1, frames), min_size=batch, max_size=batch)))
    return order, units, torch.arange(frames) < lengths[:, None]


@given(grids())
@settings(max_examples=150, deadline=None)
def test_inverse_of_forward_is_the_identity(grid) -> None:
    order, units, mask = grid
    assert torch.equal(order.inverse(order.forward(units).values), units)
    back = order.inverse(order.forward(units, mask).values)
    real = mask[:, None].expand_as(units)
    assert torch.equal(back[real], units[real])
    assert torch.all(back[~real] == SIZE)


@given(grids())
@settings(max_examples=150, deadline=None)
def test_the_mask_marks_each_unit_once_and_special_tokens_never(grid) -> None:
    order, units, mask = grid
    arranged = order.forward(units, mask)
    assert arranged.values.shape == (units.shape[0], order.codes_per_step, order.steps(units.shape[2]))
    assert arranged.mask.shape == arranged.values.shape
    assert torch.equal(arranged.mask.sum((1, 2)), mask.sum(1) * units.shape[1])
    assert torch.equal(arranged.values == order.special, ~arranged.mask)
    assert arranged.values[arranged.mask].max() < order.vocabulary


@given(grids())
@settings(max_examples=150, deadline=None)
def test_planned_steps_are_the_columns_of_the_training_mask(grid) -> None:
    order, units, mask = grid
    arranged = order.forward(units, mask)
    ends = mask.sum(1)
    completed = []
    for index in range(arranged.values.shape[2]):
        step = order.plan(index, ends)
        assert torch.equal(step.real, arranged.mask[:, :, index])
        if step.allowed is not None:
            column = arranged.values[:, :, index][arranged.mask[:, :, index]]
            assert all(code in step.allowed for code in column.tolist())
        completed += [step.completes] if step.completes is not None else []
    assert completed == list(range(units.shape[2]))


def test_the_delay_pattern_looks_like_the_paper() -> None:
    units = torch.tensor([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]])
    special = SIZE
    expected = [[1, 2, 3, special, special], [special, 4, 5, 6, special], [special, special, 7, 8, 9]]
    assert Delay(3, SIZE).forward(units).values[0].tolist() == expected


def test_the_flat_raster_offsets_each_book() -> None:
    units = torch.tensor([[[1, 2], [3, 4]]])
    assert FlatRaster(2, 10).forward(units).values.tolist() == [[[1, 13, 2, 14]]]


def test_continuous_units_pass_and_padding_is_zero() -> None:
    units, mask = torch.randn(2, 6, 4), torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    arranged = Raster().forward(units, mask)
    assert arranged.mask.shape == (2, 1, 4)
    assert torch.equal(arranged.values[0], units[0])
    assert torch.equal(arranged.values[1, :, :2], units[1, :, :2])
    assert torch.all(arranged.values[1, :, 2:] == 0)


def test_bad_delays_are_named() -> None:
    for delays in ([], [1, 2], [0, -1]):
        with pytest.raises(UserError, match="delays start at 0"):
            make_config(DelayConfig, {"delays": delays})
    with pytest.raises(UserError, match="2 entries for 3 codebooks"):
        Delay(3, SIZE, [0, 1])
