"""What flow and diffusion heads share: a small MLP that is asked again and again on the way from noise to a unit."""

from collections.abc import Iterator

import torch
from torch import Tensor

from speechgen.heads.processes import Process, check_steps
from speechgen.heads.sampling import Generators, gaussian, weighted_mean
from speechgen.nn.adaln import TimeEmbedding
from speechgen.nn.modulated import ModulatedMLP


class DenoisingHead(ModulatedMLP):
    """Draws continuous units (N, D) given z (N, C), by a process whose predictions an MLP learns."""

    def __init__(self, process: Process, width: int, unit_width: int, inner: int, blocks: int, draws: int) -> None:
        """``width``: C of z; ``unit_width``: D of a unit; ``inner``, ``blocks``: size of the MLP; ``draws``: noises per
        unit and training step."""
        time = TimeEmbedding(inner)
        super().__init__(width, unit_width, inner, blocks, unit_width)
        self.process, self.unit_width, self.draws, self.time = process, unit_width, draws, time

    def loss(
        self,
        z: Tensor,
        target: Tensor,
        generator: torch.Generator | None = None,
        weights: Tensor | None = None,
        **given: Tensor,
    ) -> Tensor:
        """Mean squared error of what the process asks for (a velocity, a noise), averaged over positions.

        z (N, C), target (N, D), weights (N,) non-negative (a bool mask will do). ``given`` goes to the process.
        """
        many = target.float().expand(self.draws, -1, -1)
        noised = self.process.disturb(many, 2, generator, **given)
        said = self.network(noised.noisy, self.modulations_at(noised.time, self.condition(z)))
        return weighted_mean((said.float() - noised.answer).square().mean(dim=(0, 2)), weights)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
        steps: int | None = None,
        solver: str | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Draw units (N, D) for z (N, C): where ``path``, which has the same arguments, ends."""
        *_, units = self.path(z, z_null, guidance, temperature, generator, steps, solver, noise)
        return units

    @torch.no_grad()
    def path(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
        steps: int | None = None,
        solver: str | None = None,
        noise: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """From noise to units: yields the noise (N, D), then what has become of it after each step.

        Noise has standard deviation sqrt(temperature), unless it is given. With z_null (N, C) and guidance g the
        prediction is ``p_null + g (p - p_null)`` (Ho & Salimans 2022). Steps and solver are the process's own, by
        default. Raises ValueError for fewer than one step.
        """
        steps, solver = (
            steps if steps is not None else self.process.default_steps,
            solver or self.process.default_solver,
        )
        check_steps(steps)
        shape = (z.shape[0], self.unit_width)
        if noise is None:
            noise = gaussian(shape, generator, like=z) * temperature**0.5
        guided = z_null is not None and guidance != 1.0
        rows = torch.cat([z, z_null]) if guided else z
        times = self.process.times(steps, solver).to(z.device)
        # Nothing here depends on x, so every step's modulations come out of one matrix product before the loop.
        modulations = self.modulations_at(times[:, None], self.condition(rows))
        if guided:  # (S, 2, N, W), under which one x (N, D) becomes two predictions
            modulations = tuple(part.unflatten(1, (2, -1)) for part in modulations)
        per_call = list(zip(*(part.unbind(0) for part in modulations), strict=True))

        def predict(x: Tensor, call: int) -> Tensor:
            if not guided:
                return self.network(x, per_call[call])
            conditioned, null = self.network(x, per_call[call]).unbind(0)
            return torch.lerp(null, conditioned, guidance)

        yield noise
        yield from self.process.walk(predict, noise, steps, solver, temperature, generator)

    @torch.no_grad()
    def predict(self, x: Tensor, time: Tensor, z: Tensor) -> Tensor:
        """What the network says of x (N, D) at times (N,), given z (N, C)."""
        return self.network(x, self.modulations_at(time, self.condition(z)))

    def velocity(self, x: Tensor, way: float, z: Tensor) -> Tensor:
        """The vector field at x (N, D), given z (N, C), when a share ``way`` of the way from noise to data is done."""
        return self.process.velocity(lambda time: self.predict(x, x.new_full((len(x),), time), z), x, way)

    def modulations_at(self, time: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        """The network's modulations at times (S, N or 1) for projected z (N, W): each (S, N, W)."""
        return self.modulations(self.time(time) + condition)
