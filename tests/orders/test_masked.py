"""Masked order: every position once, more and more at a time, the surest first; what training hides."""

import pytest
import torch
from torch import Tensor

from speechgen.orders.masked import Masked, MaskedConfig, unmask

POSITIONS, SIZE = 12, 5


def run(choice: str, steps: int, rows: int = 3):
    """The steps of generation with a backbone that says how far right a position is, and codes 1."""

    def look(units: Tensor, blank: Tensor) -> Tensor:
        return torch.arange(POSITIONS).float().expand(rows, -1).unsqueeze(-1)

    def draw(z: Tensor, z_null: Tensor | None) -> Tensor:
        return torch.ones(len(z), 1, dtype=torch.long)

    order = Masked(MaskedConfig(choice=choice))
    start = torch.zeros(rows, POSITIONS, 1, dtype=torch.long)
    generator = torch.Generator().manual_seed(0)
    sureness = lambda z, units: z[:, 0] * 100  # noqa: E731
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
