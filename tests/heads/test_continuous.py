"""Diffusion, energy and Gaussian heads learn two clusters where the MSE head blurs; what their options do."""

import pytest
import torch
from torch import Tensor

from speechgen.config import make_config
from speechgen.heads.base import CONTINUOUS, build_head
from speechgen.heads.diffusion import DiffusionHead, DiffusionHeadConfig
from speechgen.heads.energy import EnergyHead, EnergyHeadConfig
from speechgen.heads.flow import FlowHead, FlowHeadConfig
from speechgen.heads.gaussian import GaussianHead, GaussianHeadConfig
from speechgen.heads.mse import MSEHead, MSEHeadConfig
from speechgen.heads.one_step import OneStepHead, OneStepHeadConfig
from speechgen.heads.processes import DiffusionProcess, FlowProcess

CENTRES = torch.tensor([[1.0, 0.5], [-1.0, 0.5]])
SMALL = {"width": 32, "blocks": 2}
HEADS = {
    "diffusion": lambda: DiffusionHead(DiffusionHeadConfig(**SMALL), 1, 2),
    "energy": lambda: EnergyHead(EnergyHeadConfig(**SMALL, noise_width=4), 1, 2),
    "gaussian": lambda: GaussianHead(GaussianHeadConfig(mixtures=2), 1, 2),
    "mse": lambda: MSEHead(MSEHeadConfig(), 1, 2),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_clusters(count: int, draw: torch.Generator) -> Tensor:
    return CENTRES[torch.randint(2, (count,), generator=draw)] + 0.2 * torch.randn(count, 2, generator=draw)


@pytest.fixture(scope="module")
def learned():
    """name -> the head after some hundred steps on two clusters."""
    made = {}

    def learn(name: str):
        if name not in made:
            torch.manual_seed(0)
            head, draw = HEADS[name](), generator()
            rate = 5e-3 if name in ("diffusion", "energy") else 5e-2  # a single layer learns at a higher one
            optimiser = torch.optim.AdamW(head.parameters(), lr=rate, weight_decay=0)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=250)
            for _ in range(250):
                loss = head.loss(torch.zeros(128, 1), two_clusters(128, draw), draw)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            made[name] = head.eval()
        return made[name]

    return learn


@pytest.mark.parametrize("name", ["diffusion", "energy", "gaussian"])
def test_learns_both_clusters(learned, name: str) -> None:
    units = learned(name).sample(torch.zeros(1000, 1), generator=generator())
    distance, nearest = torch.cdist(units, CENTRES).min(dim=1)
    assert abs(nearest.float().mean() - 0.5) < 0.15
    assert distance.median() < 0.45  # 0.24 of the data; the middle of both is 1 away


def test_the_mean_of_two_clusters_is_in_neither(learned) -> None:
    units = learned("mse").sample(torch.zeros(10, 1))
    assert units[:, 0].abs().max() < 0.15
    assert torch.cdist(units, CENTRES).min() > 0.8


def test_diffusion_solvers_agree_on_what_is_learned(learned) -> None:
    head, z = learned("diffusion"), torch.zeros(500, 1)
    for solver in ("ddim", "ddpm"):
        units = head.sample(z, generator=generator(), steps=40, solver=solver)
        assert torch.cdist(units, CENTRES).min(dim=1).values.median() < 0.45
    noise = torch.randn(500, 2, generator=generator())
    again = [head.sample(z, steps=20, solver="ddim", noise=noise) for _ in range(2)]
    assert torch.equal(*again)  # DDIM draws nothing on its way


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("solver", ["ddim", "ddpm"])
@pytest.mark.parametrize("predicts", ["noise", "v"])
def test_a_network_that_knows_the_data_leads_to_it(schedule: str, solver: str, predicts: str) -> None:
    process, data = DiffusionProcess(100, schedule, predicts=predicts), torch.randn(6, 3, generator=generator())
    x, times = torch.randn(6, 3, generator=generator(1)), process.times(10, solver)

    def say(x: Tensor, call: int) -> Tensor:
        kept = process.kept[round(times[call].item() * 100)].item()
        noise = (x - kept**0.5 * data) / (1 - kept) ** 0.5
        return noise if predicts == "noise" else kept**0.5 * noise - (1 - kept) ** 0.5 * data

    *_, made = process.walk(say, x, 10, solver, generator=generator())
    torch.testing.assert_close(made, data, atol=1e-4, rtol=1e-4)


def test_v_is_what_noise_and_data_are_told_from() -> None:
    """At right angles to the noisy unit: x = cos data + sin noise, v = cos noise - sin data."""
    data = torch.randn(50, 3, generator=generator())
    noised = DiffusionProcess(1000, predicts="v").disturb(data, 1, generator(1))
    epsilon = DiffusionProcess(1000).disturb(data, 1, generator(1)).answer
    kept = DiffusionProcess(1000).kept[(noised.time * 1000).round().long()].float().unsqueeze(1)
    torch.testing.assert_close(kept.sqrt() * noised.noisy - (1 - kept).sqrt() * noised.answer, data)
    torch.testing.assert_close((1 - kept).sqrt() * noised.noisy + kept.sqrt() * noised.answer, epsilon)


def test_times_of_a_flow_are_spread_as_told() -> None:
    data = torch.zeros(20_000, 1)
    middle, angles = (FlowProcess(name).disturb(data, 1, generator()).time for name in ("middle", "angles"))
    shares = [
        [((low <= time) & (time < low + 0.1)).float().mean().item() for low in (0, 0.45, 0.9)]
        for time in (middle, angles)
    ]
    # of the distributions sigmoid(normal) and 1 - (2 / pi) atan((1 - t) / t)
    assert shares[0] == pytest.approx([0.014, 0.159, 0.014], abs=0.005)
    assert shares[1] == pytest.approx([0.0704, 0.1269, 0.0704], abs=0.005)


def test_algorithm_2_is_the_one_printed() -> None:
    """Over all levels, an unlimited step of DDPM is (x - (1 - a) / sqrt(1 - kept) noise) / sqrt(a) and fresh noise."""
    process, x = DiffusionProcess(10, "linear", limit=1e9), torch.randn(4, 2, generator=generator())
    said = torch.randn(4, 2, generator=generator(1))
    made = next(iter(process.walk(lambda x, call: said, x, 10, "ddpm", generator=generator(2))))
    kept, after = process.kept[10], process.kept[9]
    alpha = kept / after
    expected = (x - (1 - alpha) / (1 - kept).sqrt() * said) / alpha.sqrt()
    expected = expected + ((1 - after) / (1 - kept) * (1 - alpha)).sqrt() * torch.randn(4, 2, generator=generator(2))
    torch.testing.assert_close(made, expected.float(), atol=1e-4, rtol=1e-4)


def test_noise_levels_fall_from_data_to_noise() -> None:
    for schedule in ("cosine", "linear"):
        kept = DiffusionProcess(1000, schedule).kept
        assert kept[0] == 1 and (kept.diff() < 0).all() and kept[-1] < 1e-4


@pytest.mark.parametrize("config", [FlowHeadConfig(**SMALL), DiffusionHeadConfig(**SMALL, timesteps=20)])
def test_small_steps_follow_the_vector_field(config) -> None:
    torch.manual_seed(0)
    head, z = build_head(config, 1, unit_width=2), torch.zeros(30, 1)
    torch.nn.init.normal_(head.output.weight, std=0.1)  # else it starts as zero
    path = torch.stack(list(head.path(z, generator=generator(), steps=20)))
    velocities = torch.stack([head.velocity(x, step / 20, z) for step, x in enumerate(path[:-1])])
    assert velocities.abs().max() > 0.1
    assert torch.allclose(path[:-1] + velocities / 20, path[1:], atol=1e-4)
    assert head.velocity(path[-1], 1.0, z).isfinite().all()


def test_reflow_straightens() -> None:
    """Trained on its own couples, a flow needs fewer steps: its noise and unit become the ends of straight lines."""
    torch.manual_seed(0)
    first, second = (FlowHead(FlowHeadConfig(**SMALL), 1, 2) for _ in range(2))
    draw, z = generator(), torch.zeros(128, 1)

    def learn(head: FlowHead, batch) -> None:
        optimiser = torch.optim.AdamW(head.parameters(), lr=5e-3, weight_decay=0)
        for _ in range(200):
            loss = batch(head)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    learn(first, lambda head: head.loss(z, two_clusters(128, draw), draw))
    noise, units = first.couples(torch.zeros(1024, 1), draw, steps=20)

    def couples(head: FlowHead) -> Tensor:
        picks = torch.randint(1024, (128,), generator=draw)
        return head.loss(z, units[picks], draw, noise=noise[picks])

    second.load_state_dict(first.state_dict())
    learn(second, couples)

    def error_of_one_step(head: FlowHead) -> float:
        many = torch.zeros(500, 1)
        one, exact = (head.sample(many, steps=steps, generator=generator()) for steps in (1, 50))
        return (one - exact).norm(dim=1).mean().item()

    assert error_of_one_step(second) < 0.5 * error_of_one_step(first)


def test_one_step_learns_where_a_guided_flow_ends() -> None:
    """Where one step of the flow misses, one step of the student that its draws taught does not."""
    torch.manual_seed(0)
    flow = FlowHead(FlowHeadConfig(**SMALL), 1, 2)
    student, draw = OneStepHead(OneStepHeadConfig(**SMALL), 1, 2), generator()
    conditioned, null = torch.ones(128, 1), torch.zeros(128, 1)

    def learn(head, loss) -> None:
        optimiser = torch.optim.AdamW(head.parameters(), lr=5e-3, weight_decay=0)
        for _ in range(200):
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()

    def data() -> Tensor:  # told, only the first cluster; untold, both
        both = two_clusters(128, draw)
        return flow.loss(conditioned, both[both[:, 0] > 0][:40].repeat(4, 1)[:128], draw) + flow.loss(null, both, draw)

    learn(flow, data)
    student.load_state_dict(flow.state_dict())  # the names of the weights are the same

    def distil() -> Tensor:
        noise = torch.randn(128, 2, generator=draw)
        return student.loss(conditioned, flow.sample(conditioned, null, 1.5, steps=8, noise=noise), noise=noise)

    learn(student, distil)
    noise = torch.randn(128, 2, generator=generator(5))
    aim = flow.sample(conditioned, null, 1.5, steps=8, noise=noise)
    one, exact = flow.sample(conditioned, null, 1.5, steps=1, noise=noise), student.sample(conditioned, noise=noise)
    assert (exact - aim).norm(dim=1).mean() < 0.3 * (one - aim).norm(dim=1).mean()


def test_energy_draws_repel_each_other() -> None:
    """The loss of draws that all sit in the middle of two clusters is larger than that of draws in the clusters."""
    head = HEADS["energy"]()
    targets = two_clusters(2000, generator())
    a, b = two_clusters(2000, generator(1)), two_clusters(2000, generator(2))
    middle = CENTRES.mean(0).expand(2000, 2)
    spread = head._distance(a, targets).mean() - 0.5 * head._distance(a, b).mean()
    assert spread < head._distance(middle, targets).mean() - 0.1


def test_a_gaussian_is_a_density() -> None:
    torch.manual_seed(0)
    head = GaussianHead(GaussianHeadConfig(mixtures=3), 1, 1)
    line = torch.linspace(-12, 12, 4001)[:, None]
    torch.testing.assert_close(
        head.log_probability(torch.ones(4001, 1), line).exp().sum() * 24 / 4000, torch.tensor(1.0), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_a_weight_of_zero_is_not_there(kind: str) -> None:
    head = random_head(kind)
    z, target = torch.randn(6, 5), torch.randn(6, 3)
    weights = torch.tensor([True, True, False, True, False, True])
    changed = torch.where(weights[:, None], target, 100.0)
    same = [head.loss(z, one, generator(), weights) for one in (target, changed)]
    torch.testing.assert_close(*same)
    assert head.loss(z, target, generator(), torch.zeros(6)) == 0


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_drawn_together_equals_alone_and_guidance_of_one_is_none(kind: str) -> None:
    head, z, null = random_head(kind), torch.randn(4, 5), torch.randn(4, 5)
    together = head.sample(z, temperature=0.0)
    torch.testing.assert_close(together, torch.cat([head.sample(row[None], temperature=0.0) for row in z]))
    unguided = head.sample(z, null, guidance=1.0, generator=generator())
    torch.testing.assert_close(unguided, head.sample(z, generator=generator()))
    guided = head.sample(z, null, guidance=2.0, generator=generator())
    assert not torch.allclose(guided, unguided)


def random_head(kind: str):
    torch.manual_seed(0)
    sizes = {} if kind in ("gaussian", "mse") else {"width": 16, "blocks": 1}
    head = build_head(make_config(HEAD_CONFIGS[kind], sizes), 5, unit_width=3)
    for weight in head.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return head.eval()


HEAD_CONFIGS = {
    "flow": FlowHeadConfig,
    "one-step": OneStepHeadConfig,
    "diffusion": DiffusionHeadConfig,
    "energy": EnergyHeadConfig,
    "gaussian": GaussianHeadConfig,
    "mse": MSEHeadConfig,
}
