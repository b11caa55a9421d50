"""All at once: noise becomes all units together, the whole backbone looking at every step (DDPM, Ho et al. 2020).

What is noise and what leads from it to data is the process of the flow or the diffusion head; here its network is the
backbone, not a small MLP for each unit.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor

from speechgen.config import Config
from speechgen.heads.processes import Process, check_steps
from speechgen.orders.layout import View


class JointConfig(Config):
    """There is nothing to choose."""

    kind: Literal["joint"] = "joint"


class Joint:
    """Shows training all units, with noise of the same level over all of an example."""

    def view(self, units: Tensor, process: Process, generator: torch.Generator | None = None) -> View:
        """Of units (B, D, S); the target is what the process asks for: a velocity, or the noise."""
        noised = process.disturb(units.float().transpose(1, 2), 1, generator)
        everywhere = torch.ones(noised.noisy.shape[:2], dtype=torch.bool, device=units.device)
        return View(noised.noisy, ~everywhere, noised.answer, everywhere.unsqueeze(-1), time=noised.time)


@torch.no_grad()
def joint(
    process: Process,
    look: Callable[[Tensor, Tensor], Tensor],
    noise: Tensor,
    *,
    steps: int | None = None,
    solver: str | None = None,
    guidance: float = 1.0,
    guided: bool = False,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Turn noise (N, S, D) into units; yields what has become of it after each step.

    look(x (N, S, D), time (N,)) -> (R, S, D): the backbone's prediction; R is N, or 2 N when ``guided``: conditioned
    rows, then null ones, joined as ``null + g (conditioned - null)``. Steps and solver are the process's own, by
    default. Raises ValueError for fewer than one step.
    """
    steps, solver = steps if steps is not None else process.default_steps, solver or process.default_solver
    check_steps(steps)
    times = process.times(steps, solver).to(noise.device)

    def predict(x: Tensor, call: int) -> Tensor:
        said = look(x, times[call].expand(len(x)))
        if not guided:
            return said
        conditioned, null = said.chunk(2)
        return torch.lerp(null, conditioned, guidance)

    yield from process.walk(predict, noise * temperature**0.5, steps, solver, temperature, generator)
