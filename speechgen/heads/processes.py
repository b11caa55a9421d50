"""Between noise and data: what a network learns to predict on the way, and how its predictions lead from one to other.

The same two processes serve a head, whose network is a small MLP for each unit, and the order that draws all units at
once, whose network is the whole backbone (``speechgen.orders.joint``).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from speechgen.heads.sampling import Generators, gaussian

Solver = Literal["euler", "midpoint"]
Sampler = Literal["ddim", "ddpm"]
Times = Literal["middle", "angles"]
# What the network says of x (..., D) at its call of this number, whose time ``times`` told.
Predict = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Noised:
    """Training examples: ``noisy`` (..., D) at ``time`` (...) in [0, 1], and the ``answer`` (..., D) to predict."""

    noisy: Tensor
    time: Tensor
    answer: Tensor


class Process(Protocol):
    """``disturb`` makes examples to learn from; ``walk`` goes from noise to data, calling the network at ``times``."""

    default_steps: int
    default_solver: str

    def disturb(self, target: Tensor, each: int, generator: torch.Generator | None = None) -> Noised:
        """Noise targets (..., D); each index of the first ``each`` axes has a time of its own."""

    def times(self, steps: int, solver: str) -> Tensor:
        """The time of every call of the network, in order."""

    def walk(
        self,
        predict: Predict,
        x: Tensor,
        steps: int,
        solver: str,
        temperature: float = 1.0,
        generator: Generators = None,
    ) -> Iterator[Tensor]:
        """From noise x (..., D) towards data: yields x after each step."""

    def velocity(self, predict: Callable[[float], Tensor], x: Tensor, way: float) -> Tensor:
        """Where x (..., D) goes, and how fast, when a share ``way`` of the way from noise (0) to data (1) is done;
        ``predict``: what the network says of x at a time of the process."""


class FlowProcess:
    """Straight lines from noise (time 0) to data (time 1), along a velocity (Lipman et al. 2023).

    ``times_of``: how the times of training are spread (Esser et al. 2024, section 3.1). "middle" is sigmoid(normal),
    which sees most of the middle of the path and next to nothing of its ends; "angles" spreads them as a cosine
    schedule does, at least half as dense at the ends as in the middle.
    """

    default_steps = 8
    default_solver = "euler"

    def __init__(self, times_of: Times = "angles"):
        self.times_of = times_of

    def disturb(
        self, target: Tensor, each: int, generator: torch.Generator | None = None, noise: Tensor | None = None
    ) -> Noised:
        """``noise`` like the target: the other end of each path, where it is not to be drawn."""
        if self.times_of == "middle":
            time = torch.randn(target.shape[:each], generator=generator, device=target.device).sigmoid()
        else:
            angle = torch.rand(target.shape[:each], generator=generator, device=target.device) * (math.pi / 2)
            time = angle.cos() / (angle.cos() + angle.sin())
        if noise is None:
            noise = torch.randn(target.shape, generator=generator, device=target.device)
        return Noised(torch.lerp(noise, target, _spread(time, target)), time, target - noise)

    def times(self, steps: int, solver: str) -> Tensor:
        calls = steps * (2 if solver == "midpoint" else 1)
        return torch.arange(calls) / calls

    def walk(self, predict, x, steps, solver, temperature=1.0, generator=None) -> Iterator[Tensor]:
        """Euler, or the midpoint rule, which calls the network twice per step. Nothing is drawn on the way."""
        for step in range(steps):
            if solver == "euler":
                x = torch.add(x, predict(x, step), alpha=1 / steps)
            else:
                halfway = x + predict(x, 2 * step) / (2 * steps)
                x = x + predict(halfway, 2 * step + 1) / steps
            yield x

    def velocity(self, predict: Callable[[float], Tensor], x: Tensor, way: float) -> Tensor:
        return predict(way)


class DiffusionProcess:
    """Denoising diffusion (Ho et al. 2020): the network predicts the noise at one of ``timesteps`` levels.

    ``predicts``: "noise", as in the paper, or "v", of which noise and data can be told equally well at every level
    (Salimans & Ho 2022, section 4); with little training that is what makes the noisy half of the way right.
    ``schedule``: how the share of the signal falls, "cosine" (Nichol & Dhariwal 2021) or "linear" as in the paper.
    ``limit``: estimates of the data are kept within so many units of zero, which few steps need (section 3.2 of
    Saharia et al. 2022); data is expected to have a deviation of about 1.
    """

    default_steps = 50
    default_solver = "ddim"

    def __init__(
        self,
        timesteps: int = 1000,
        schedule: Literal["cosine", "linear"] = "cosine",
        limit: float = 5.0,
        predicts: Literal["noise", "v"] = "noise",
    ):
        self.timesteps, self.limit, self.predicts = timesteps, limit, predicts
        if schedule == "linear":  # section 4 of Ho et al., for any number of levels
            betas = torch.linspace(0.1, 20, timesteps, dtype=torch.float64) / timesteps
            kept = (1 - betas.clamp(max=0.999)).cumprod(0)
        else:
            angles = (torch.arange(timesteps + 1, dtype=torch.float64) / timesteps + 0.008) / 1.008 * math.pi / 2
            share = angles.cos().square()
            kept = (share[1:] / share[:-1]).clamp(min=0.001).cumprod(0)
        # Level 0 is data; alpha-bar in the paper.
        self.kept = torch.cat([torch.ones(1, dtype=torch.float64), kept])

    def disturb(self, target: Tensor, each: int, generator: torch.Generator | None = None) -> Noised:
        """Algorithm 1, lines 3 to 5: a level t, noise epsilon, and x_t, from which epsilon (or v) is to be told."""
        shape, device = target.shape[:each], target.device
        t = torch.randint(1, self.timesteps + 1, shape, generator=generator, device=device)
        epsilon = torch.randn(target.shape, generator=generator, device=device)
        alpha_bar = _spread(self.kept.to(device)[t].to(target.dtype), target)
        x_t = alpha_bar.sqrt() * target + (1 - alpha_bar).sqrt() * epsilon
        if self.predicts == "noise":
            return Noised(x_t, t / self.timesteps, epsilon)
        return Noised(x_t, t / self.timesteps, alpha_bar.sqrt() * epsilon - (1 - alpha_bar).sqrt() * target)

    def times(self, steps: int, solver: str) -> Tensor:
        return self._levels(steps)[:-1] / self.timesteps

    def walk(self, predict, x, steps, solver, temperature=1.0, generator=None) -> Iterator[Tensor]:
        """DDPM is algorithm 2, lines 2 to 5, with the posterior's variance (equation 7); DDIM draws no noise (Song et
        al. 2021, equation 12). With fewer steps than levels, t goes down by several levels at once.
        """
        levels = self._levels(steps).tolist()
        for call, (t, t_next) in enumerate(zip(levels, levels[1:])):
            alpha_bar, alpha_bar_next = self.kept[t].item(), self.kept[t_next].item()
            epsilon, data = self._bounded(x, predict(x, call), alpha_bar)
            if solver == "ddpm":
                alpha = alpha_bar / alpha_bar_next
                sigma = ((1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha)) ** 0.5
                z = gaussian(x.shape, generator, like=x) * temperature**0.5 if t_next > 0 else 0.0
                x = (x - (1 - alpha) / (1 - alpha_bar) ** 0.5 * epsilon) / alpha**0.5 + sigma * z
            else:
                x = alpha_bar_next**0.5 * data + (1 - alpha_bar_next) ** 0.5 * epsilon
            yield x

    def velocity(self, predict: Callable[[float], Tensor], x: Tensor, way: float) -> Tensor:
        """Of the probability flow (Song et al. 2021, section 4.3), which DDIM's steps follow: x is made of data and
        noise, and their shares change."""
        level = max(1, round((1 - way) * self.timesteps))
        epsilon, data = self._bounded(x, predict(level / self.timesteps), self.kept[level].item())
        (signal, signal_next), (noise, noise_next) = (
            (share[level].sqrt().item(), share[level - 1].sqrt().item()) for share in (self.kept, 1 - self.kept)
        )
        return self.timesteps * ((signal_next - signal) * data + (noise_next - noise) * epsilon)

    def _bounded(self, x: Tensor, said: Tensor, alpha_bar: float) -> tuple[Tensor, Tensor]:
        """The noise and the data that x is made of by what the network said, the data kept within the limit."""
        signal, noise = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
        data = (x - noise * said) / signal if self.predicts == "noise" else signal * x - noise * said
        data = data.clamp(-self.limit, self.limit)
        return (x - signal * data) / noise, data

    def _levels(self, steps: int) -> Tensor:
        """Levels from the noisiest down to data, at most ``steps`` + 1 of them."""
        return torch.linspace(self.timesteps, 0, min(steps, self.timesteps) + 1).round().long()


def check_steps(steps: int) -> None:
    """Raises ValueError for fewer than one step."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")


def _spread(time: Tensor, like: Tensor) -> Tensor:
    """Times (...) with axes of size 1 added, so that they broadcast over a tensor."""
    return time.view(*time.shape, *(1,) * (like.dim() - time.dim()))
