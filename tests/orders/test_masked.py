"""Masked order: every position once, more and more at a time, the surest first; what training hides."""

import pytest
import torch
from torch import Tensor

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.orders.base import build_order
from speechgen.orders.masked import Masked, MaskedConfig, hidden_share, unmask

POSITIONS, SIZE = 12, 5


def run(choice: str, steps: int, rows: int = 3, span: int = 1, sure: float = 100.0, positions: int = POSITIONS):
    """The steps of generation with a backbone that says how far right a position is, and codes 1."""

    def look(units: Tensor, blank: Tensor) -> Tensor:
        return torch.arange(positions).float().expand(rows, -1).unsqueeze(-1)

    def draw(z: Tensor, z_null: Tensor | None) -> Tensor:
        return torch.ones(len(z), 1, dtype=torch.long)

    order = Masked(MaskedConfig(choice=choice, span=span))
    start = torch.zeros(rows, positions, 1, dtype=torch.long)
    generator = torch.Generator().manual_seed(0)
    sureness = lambda z, units: z[:, 0] * sure  # noqa: E731
    return list(unmask(order, start, look, draw, sureness, steps=steps, generator=generator))


@pytest.mark.parametrize("choice", ["confidence", "random"])
@pytest.mark.parametrize("steps", [1, 4, POSITIONS, 50])
def test_every_position_is_drawn_exactly_once(choice: str, steps: int) -> None:
    done = run(choice, steps)
    assert len(done) == min(steps, POSITIONS)
    assert torch.equal(sum(step.new.long() for step in done), torch.ones(3, POSITIONS, dtype=torch.long))
    assert done[-1].known.all() and (done[-1].units == 1).all()
    for before, after in zip(done, done[1:]):
        assert torch.equal(after.known, before.known | after.new)
    if steps >= POSITIONS:
        assert all((step.new.sum(1) == 1).all() for step in done)


def test_the_surest_come_first() -> None:
    done = run("confidence", POSITIONS)
    assert [step.new[0].nonzero().item() for step in done] == list(range(POSITIONS))[::-1]


def test_random_orders_differ_between_rows() -> None:
    first = run("random", POSITIONS, rows=8)
    assert len({tuple(step.new[row].nonzero().item() for step in first) for row in range(8)}) > 1


@pytest.mark.parametrize("positions", [1, 2, 16, 49, 784])
@pytest.mark.parametrize("steps", [1, 3, 8, 1000])
def test_the_schedule_starts_slowly_and_covers_all(positions: int, steps: int) -> None:
    counts = Masked.counts(positions, steps)
    assert sum(counts) == positions and min(counts) >= 1 and len(counts) == min(positions, steps)
    assert counts[0] == min(counts)
    with pytest.raises(ValueError, match="at least 1"):
        Masked.counts(positions, 0)


def test_training_hides_any_share() -> None:
    units = torch.randint(SIZE, (4000, 1, POSITIONS))
    view = Masked(MaskedConfig()).view(units, torch.Generator().manual_seed(0))
    hidden = view.blank.sum(1)
    assert hidden.min() == 1 and hidden.max() == POSITIONS
    assert abs(view.blank.float().mean().item() - (2 / torch.pi + 0.5 / POSITIONS)) < 0.03  # the mean of the cosine
    assert view.blank.float().mean(0).std() < 0.02  # no position is hidden more often
    assert torch.equal(view.drawn[..., 0], view.blank) and view.visible is None
    assert torch.equal(view.target, units.transpose(1, 2))


def places(chosen: Tensor) -> list[list[int]]:
    return [row.nonzero().flatten().tolist() for row in chosen]


def test_a_span_of_one_is_a_position() -> None:
    """As it was before there were spans."""
    generator = torch.Generator().manual_seed(0)
    assert places(hidden_share(3, 7, generator, span=1)) == [[0, 1, 3, 5, 6], [2, 3, 4], [0, 1, 2, 3, 4, 5, 6]]
    for choice, first, second in [
        ("random", [[2], [3, 4], [0, 1, 5]], [[4], [2, 5], [0, 1, 3]]),
        ("confidence", [[5], [2, 4], [0, 1, 3]], [[5], [3, 4], [0, 1, 2]]),
    ]:
        done = run(choice, 3, rows=2, sure=1.0, positions=6)
        assert [[places(step.new)[row] for step in done] for row in range(2)] == [first, second]


@pytest.mark.parametrize("positions", [POSITIONS, POSITIONS - 1])
def test_training_hides_spans_as_it_hides_positions(positions: int) -> None:
    masked = Masked(MaskedConfig(span=3))
    view = masked.view(torch.zeros(50, 1, positions, dtype=torch.long), torch.Generator().manual_seed(0))
    each = hidden_share(50, 4, torch.Generator().manual_seed(0))
    assert torch.equal(view.blank, each.repeat_interleave(3, dim=1)[:, :positions])
    assert view.blank.any(1).all() and not view.blank.all(1).all()


def test_the_last_span_of_a_sound_ends_with_it() -> None:
    lengths = torch.tensor([1, 4, 7]).repeat(20)
    hidden = hidden_share(60, 9, torch.Generator().manual_seed(0), None, lengths, 3)
    assert hidden.any(1).all() and not (hidden & (torch.arange(9) >= lengths[:, None])).any()
    for length in (1, 4, 7):
        spans = [hidden[lengths == length, first : min(first + 3, length)] for first in range(0, length, 3)]
        assert all(torch.equal(span.any(1), span.all(1)) for span in spans)


@pytest.mark.parametrize("choice", ["confidence", "random"])
@pytest.mark.parametrize("positions", [POSITIONS, POSITIONS - 1])
def test_spans_are_drawn_whole_and_once(choice: str, positions: int) -> None:
    done = run(choice, 3, span=3, positions=positions)
    assert len(done) == 3 and torch.equal(sum(step.new.long() for step in done), torch.ones(3, positions).long())
    for step in done:
        spans = step.new.split(3, dim=1)
        assert all(torch.equal(span.any(1), span.all(1)) for span in spans)
    assert done[-1].known.all() and len(run(choice, 50, span=3)) == 4


def test_a_span_is_as_sure_as_its_surest_position() -> None:
    order = Masked(MaskedConfig(span=2))
    sure = torch.tensor([[-3.0, -3.0, -9.0, -1.0, -2.0, -2.0]]).unsqueeze(-1)
    draw = lambda z, z_null: torch.ones(len(z), 1, dtype=torch.long)  # noqa: E731
    start = torch.zeros(1, 6, 1, dtype=torch.long)
    steps = unmask(order, start, lambda u, b: sure, draw, lambda z, codes: z[:, 0], steps=3, noise=0.0)
    assert [places(step.new)[0] for step in steps] == [[2, 3], [4, 5], [0, 1]]


def test_spans_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="span"):
        make_config(MaskedConfig, {"span": 0})
    spans = MaskedConfig(span=3)
    assert build_order(spans, 1, SIZE, (4,)).config.span == 3
    for sides, words in [((3,), "leaves one span of 3 positions"), ((4, 4), "use span: 1"), ((2, 4, 4), "use span: 1")]:
        with pytest.raises(UserError, match=words):
            build_order(spans, 1, SIZE, sides)
