import pytest
import torch

from speechgen.losses.balancer import Balancer


def balanced_gradient(balancer: Balancer, losses: dict[str, torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    (gradient,) = torch.autograd.grad(balancer(losses, output), output)
    return gradient


def test_gradient_by_hand():
    output = torch.zeros(1, 2, requires_grad=True)
    losses = {"big": 300 * output[0, 0], "small": 0.02 * output[0, 1]}
    gradient = balanced_gradient(Balancer({"big": 3, "small": 1}), losses, output)
    # each unit direction, weighted by its share
    torch.testing.assert_close(gradient, torch.tensor([[0.75, 0.25]]))


def test_running_norm_by_hand():
    balancer = Balancer({"a": 1.0}, decay=0.5)
    for size, expected in [(4.0, 4 / 4), (1.0, 1 / ((0.5 * 4 + 1) / 1.5)), (1.0, 1 / ((0.25 * 4 + 0.5 + 1) / 1.75))]:
        output = torch.zeros(1, 1, requires_grad=True)
        gradient = balanced_gradient(balancer, {"a": size * output.sum()}, output)
        assert gradient.item() == pytest.approx(expected)
    assert balancer.norms["a"] == pytest.approx((0.25 * 4 + 0.5 + 1) / 1.75)


def test_shares_do_not_depend_on_loss_sizes():
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(2, 3, 50, generator=generator)

    def gradient(sizes: tuple[float, float]) -> torch.Tensor:
        output = torch.zeros(3, 50, requires_grad=True)
        losses = {"a": sizes[0] * (directions[0] * output).mean(), "b": sizes[1] * (directions[1] * output).mean()}
        return balanced_gradient(Balancer({"a": 1, "b": 4}), losses, output)

    torch.testing.assert_close(gradient((1.0, 1.0)), gradient((1000.0, 0.001)))


def test_size_of_the_gradient_is_the_norm_asked_for_whatever_the_batch():
    for batch in (1, 4):
        output = torch.zeros(batch, 10, requires_grad=True)
        gradient = balanced_gradient(Balancer({"a": 5.0}, norm=2.0), {"a": output.mean()}, output)
        assert (batch * gradient).norm(dim=1).tolist() == pytest.approx([2.0] * batch)


def test_two_processes_equal_one(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(4, 10, generator=generator)

    def losses(output: torch.Tensor, part: slice) -> dict[str, torch.Tensor]:
        return {"a": (output - target[part]).square().mean(), "b": 7 * (output - target[part]).abs().mean()}

    whole = torch.zeros(4, 10, requires_grad=True)
    weights = {"a": 1, "b": 2}
    expected = balanced_gradient(Balancer(weights), losses(whole, slice(0, 4)), whole)

    halves = [slice(0, 2), slice(2, 4)]
    norms = []
    for half in halves:
        alone, output = Balancer(weights), torch.zeros(2, 10, requires_grad=True)
        alone(losses(output, half), output)
        norms.append(alone.norms)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    for rank, half in enumerate(halves):
        others = iter(norms[1 - rank].values())
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda norm, others=others: norm.add_(next(others)))
        output = torch.zeros(2, 10, requires_grad=True)
        gradient = balanced_gradient(Balancer(weights), losses(output, half), output)
        # the processes' gradients are averaged later, by distributed data parallel
        torch.testing.assert_close(gradient / 2, expected[half])


def test_plain_backward_trains_the_network_with_the_balanced_gradient():
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    inputs = torch.randn(4, 3)
    output = network(inputs)
    losses = {"a": output.square().mean(), "b": output.abs().mean()}
    by_hand = torch.zeros(4, 2)
    for loss in losses.values():
        (gradient,) = torch.autograd.grad(loss, output, retain_graph=True)
        by_hand += 0.5 / 4 * gradient / gradient.norm(dim=1).mean()
    Balancer({"a": 1, "b": 1})(losses, output).backward()
    torch.testing.assert_close(network.weight.grad, by_hand.T @ inputs)


def test_norms_may_be_measured_at_the_last_weights():
    torch.manual_seed(0)
    hidden, last = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)
    inputs = torch.randn(5, 3)
    output = last(hidden(inputs)).exp()
    losses = {"soft": output.log().abs().mean(), "loud": 100 * output.square().mean()}
    parts = []
    for loss in losses.values():
        at_last, at_hidden = torch.autograd.grad(loss, (last.weight, hidden.weight), retain_graph=True)
        parts.append((at_last / at_last.norm(), at_hidden / at_last.norm()))
    balancer = Balancer({"soft": 3, "loud": 1}, norm=2.0)
    balancer(losses, output, last.weight).backward()
    torch.testing.assert_close(last.weight.grad, 2 * (0.75 * parts[0][0] + 0.25 * parts[1][0]))
    torch.testing.assert_close(hidden.weight.grad, 2 * (0.75 * parts[0][1] + 0.25 * parts[1][1]))


def test_value_is_the_weighted_mean_and_only_present_losses_share():
    output = torch.ones(1, 1, requires_grad=True)
    balancer = Balancer({"a": 1, "b": 3, "late": 10, "off": 0})
    losses = {"a": 2 * output.sum(), "b": 6 * output.sum(), "off": output.sum()}
    value = balancer(losses, output)
    assert value.item() == pytest.approx((2 + 3 * 6) / 4)
    assert set(balancer.norms) == {"a", "b"}


def test_resumed_balancer_equals_uninterrupted():
    def step(balancer: Balancer, size: float) -> torch.Tensor:
        output = torch.zeros(1, 2, requires_grad=True)
        return balanced_gradient(balancer, {"a": size * output[0, 0], "b": output[0, 1]}, output)

    whole = Balancer({"a": 1, "b": 1})
    step(whole, 5.0)
    resumed = Balancer({"a": 1, "b": 1})
    resumed.load_state_dict(whole.state_dict())
    torch.testing.assert_close(step(whole, 1.0), step(resumed, 1.0), rtol=0, atol=0)
    assert step(Balancer({"a": 1, "b": 1}), 1.0)[0, 0] != step(resumed, 1.0)[0, 0]


def test_a_broken_step_does_not_spoil_the_mean():
    balancer = Balancer({"a": 1.0})
    for size in (2.0, float("nan"), float("inf")):
        output = torch.zeros(1, 1, requires_grad=True)
        balancer({"a": size * output.sum()}, output)
    assert balancer.norms["a"] == pytest.approx(2.0)


def test_mistakes_are_named():
    output = torch.zeros(1, 1, requires_grad=True)
    with pytest.raises(ValueError, match="'mell' has no weight"):
        Balancer({"mel": 1})({"mell": output.sum()}, output)
    with pytest.raises(ValueError, match="'commitment' does not depend"):
        Balancer({"commitment": 1})({"commitment": torch.ones((), requires_grad=True) * 2}, output)
    with pytest.raises(ValueError, match="negative"):
        Balancer({"mel": -1})


def test_between_measurements_the_gradient_is_the_same_for_one_way_back():
    output = torch.linspace(-1, 1, 20).reshape(2, 10).requires_grad_()
    losses = lambda: {"a": output.square().mean(), "b": (output - 0.3).abs().mean()}  # noqa: E731
    balancer = Balancer({"a": 1, "b": 3})
    measured = torch.autograd.grad(balancer(losses(), output), output)[0]
    before = balancer.norms
    trusted = balancer(losses(), output, measure=False)
    assert torch.autograd.grad(trusted, output)[0].allclose(measured, atol=1e-7)
    assert balancer.norms == before
    late = {**losses(), "b": output.exp().mean()}
    unseen = Balancer({"a": 1, "b": 3})
    unseen({"a": losses()["a"]}, output)
    assert set(unseen.norms) == {"a"}
    unseen(late, output, measure=False)  # one that was never measured is measured at once
    assert set(unseen.norms) == {"a", "b"}
