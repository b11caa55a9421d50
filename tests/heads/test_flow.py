"""The flow head learns a mixture, and guidance, temperature, weights and solvers do what they say."""

import pytest
import torch

from speechgen.heads.flow import FlowHead, FlowHeadConfig


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(**changes) -> FlowHead:
    torch.manual_seed(0)
    return FlowHead(FlowHeadConfig(**{"width": 32, "blocks": 2} | changes), width=6, unit_width=4)


def perturbed() -> FlowHead:
    """A head whose zero-started weights are not zero, so that every input matters."""
    head = make()
    for weight in head.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return head


@pytest.fixture(scope="module")
def mixture_head() -> FlowHead:
    """Learns: under condition +1 units are N((2, -1), 0.3), under -1 a fair mixture of N((-2, 0), 0.3), N((0, 2), 0.3).

    The all-zero condition is a null one: it stands for both, half the time each.
    """
    torch.manual_seed(0)
    head = FlowHead(FlowHeadConfig(width=64, blocks=2), width=2, unit_width=2)
    optimiser = torch.optim.AdamW(head.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=300)
    draw = generator()
    for _ in range(300):
        z, target = mixture_batch(256, draw)
        loss = head.loss(z, target, draw)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return head.eval()


MEANS = torch.tensor([[2.0, -1.0], [-2.0, 0.0], [0.0, 2.0]])


def mixture_batch(count: int, draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    positive = torch.rand(count, generator=draw) < 0.5
    second = torch.rand(count, generator=draw) < 0.5
    component = torch.where(positive, 0, 1 + second.long())
    z = torch.zeros(count, 2)
    z[:, 0] = positive.float() * 2 - 1
    z[torch.rand(count, generator=draw) < 0.2] = 0
    return z, MEANS[component] + 0.3 * torch.randn(count, 2, generator=draw)


def test_learns_each_condition(mixture_head: FlowHead) -> None:
    one = mixture_head.sample(torch.tensor([[1.0, 0.0]]).expand(2000, 2), generator=generator(), steps=20)
    torch.testing.assert_close(one.mean(0), MEANS[0], atol=0.1, rtol=0)
    torch.testing.assert_close(one.std(0), torch.tensor([0.3, 0.3]), atol=0.12, rtol=0)

    two = mixture_head.sample(torch.tensor([[-1.0, 0.0]]).expand(2000, 2), generator=generator(), steps=20)
    nearest = torch.cdist(two, MEANS[1:]).argmin(dim=1)
    assert abs(nearest.float().mean().item() - 0.5) < 0.1
    for component in (0, 1):
        near = two[nearest == component]
        torch.testing.assert_close(near.mean(0), MEANS[1 + component], atol=0.15, rtol=0)
        assert near.std(0).max() < 0.55


def test_guidance_moves_away_from_the_null(mixture_head: FlowHead) -> None:
    z, null = torch.tensor([[1.0, 0.0]]).expand(500, 2), torch.zeros(500, 2)
    distance = {}
    for guidance in (0.0, 1.0, 2.0):
        samples = mixture_head.sample(z, null, guidance=guidance, generator=generator(), steps=20)
        others = torch.cdist(samples, MEANS).argmin(dim=1) != 0
        distance[guidance] = (samples[:, 0].mean().item(), others.float().mean().item())
    # No guidance at all is the null distribution: half of it lies elsewhere.
    assert abs(distance[0.0][1] - 0.5) < 0.1
    assert distance[1.0][1] < 0.02
    assert distance[2.0][0] > distance[1.0][0] > distance[0.0][0]


def test_temperature_narrows(mixture_head: FlowHead) -> None:
    z = torch.tensor([[1.0, 0.0]]).expand(1000, 2)
    spread = [mixture_head.sample(z, temperature=t, generator=generator(), steps=20).std(0).mean() for t in (1, 0.5, 0)]
    assert spread[0] > spread[1] > spread[2]
    assert spread[2] < 1e-5


def test_more_steps_shrink_the_error_and_midpoint_faster(mixture_head: FlowHead) -> None:
    z = torch.tensor([[1.0, 0.0]]).expand(64, 2)

    def error(steps: int, solver: str) -> float:
        return (mixture_head.sample(z, generator=generator(), steps=steps, solver=solver) - exact).norm().item()

    exact = mixture_head.sample(z, generator=generator(), steps=1024, solver="midpoint")
    euler = [error(steps, "euler") for steps in (8, 64, 256)]
    midpoint = [error(steps, "midpoint") for steps in (8, 64, 256)]
    assert euler[0] > 4 * euler[1] > 16 * euler[2]
    assert midpoint[0] > 4 * midpoint[1] > 16 * midpoint[2]
    assert midpoint[-1] < euler[-1]


@pytest.mark.parametrize("solver", ["euler", "midpoint"])
def test_guidance_in_one_batch_equals_two_runs(solver: str) -> None:
    head = perturbed()
    z, null = torch.randn(3, 6), torch.randn(3, 6)
    guided = head.sample(z, null, guidance=1.7, generator=generator(), steps=1, solver=solver)
    if solver == "euler":
        noise = torch.randn(3, 4, generator=generator())
        step = [head.sample(rows, generator=generator(), steps=1) - noise for rows in (z, null)]
        torch.testing.assert_close(guided, noise + step[1] + 1.7 * (step[0] - step[1]))
    torch.testing.assert_close(guided, head.sample(z, null, 1.7, generator=generator(), steps=1, solver=solver))
    ignored = head.sample(z, null, guidance=1.0, generator=generator(), steps=3, solver=solver)
    torch.testing.assert_close(ignored, head.sample(z, generator=generator(), steps=3, solver=solver))


def test_sampling_walks_the_velocity_that_was_trained() -> None:
    """The modulations computed before the loop are those of the training path."""
    head = perturbed()
    z = torch.randn(5, 6)
    x = torch.randn(5, 4, generator=generator())
    for step in range(4):
        time = torch.full((1, 5), step / 4)
        x = x + head.network(x[None], head.modulations_at(time, head.condition(z)))[0] / 4
    torch.testing.assert_close(head.sample(z, generator=generator(), steps=4), x)


def test_starts_as_the_zero_velocity() -> None:
    head = make()
    noise = torch.randn(7, 4, generator=generator())
    torch.testing.assert_close(head.sample(torch.randn(7, 6), generator=generator()), noise)


def test_a_weight_of_zero_is_not_there() -> None:
    head = perturbed()
    z, target = torch.randn(6, 6), torch.randn(6, 4)
    weights = torch.tensor([True, True, False, True, False, True])
    changed = torch.where(weights[:, None], target, 100.0)
    torch.testing.assert_close(head.loss(z, target, generator(), weights), head.loss(z, changed, generator(), weights))
    assert head.loss(z, target, generator(), torch.zeros(6)) == 0
    even = head.loss(z, target, generator(), torch.full((6,), 3.0))
    torch.testing.assert_close(even, head.loss(z, target, generator()))


def test_same_seed_same_draw_and_batched_equals_single() -> None:
    head = perturbed()
    z = torch.randn(4, 6)
    together = head.sample(z, temperature=0.0, generator=generator())
    alone = torch.cat([head.sample(row[None], temperature=0.0, generator=generator(9)) for row in z])
    torch.testing.assert_close(together, alone)
    assert torch.equal(head.sample(z, generator=generator(3)), head.sample(z, generator=generator(3)))
    assert not torch.equal(head.sample(z, generator=generator(3)), head.sample(z, generator=generator(4)))


def test_every_weight_learns() -> None:
    head = perturbed()
    head.loss(torch.randn(6, 6), torch.randn(6, 4), generator()).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in head.parameters())
    with pytest.raises(ValueError, match="at least 1"):
        head.sample(torch.randn(1, 6), steps=0)
