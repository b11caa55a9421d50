"""Pictures of points on their way from noise to data: paths, and the moving vector field."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from speechgen.heads.denoising import DenoisingHead

EDGE = 3.0  # how far the pictures reach from the centre
ARROWS = 17  # of the field, along each side
LONGEST = 4.0  # speed that an arrow shows at most: of a diffusion's first and last step they would cover the picture
FRAMES_PER_SECOND = 10


def draw_paths(paths: dict[str, dict[int, Tensor]], real: Tensor, out: Path) -> None:
    """A PNG with a row for each network and a column for each number of steps; each path is (steps + 1, points, 2)."""
    from matplotlib.figure import Figure

    columns = list(next(iter(paths.values())))
    figure = Figure(figsize=(2.2 * len(columns), 2.3 * len(paths)), dpi=100, layout="constrained")
    grid = figure.subplots(len(paths), len(columns), squeeze=False)
    for axes, (name, by_steps) in zip(grid, paths.items(), strict=True):
        for ax, (steps, path) in zip(axes, by_steps.items(), strict=True):
            ax.scatter(*real[:600].T, s=1, color="0.8")
            ax.plot(*path[:, :60].permute(2, 0, 1), color="tab:blue", linewidth=0.4, alpha=0.5)
            ax.scatter(*path[-1].T, s=2, color="tab:red")
            ax.set_title(f"{name}, {steps} step{'s' * (steps > 1)}", fontsize=7)
            _frame(ax)
    figure.savefig(out, format="png")


def draw_field(name: str, head: DenoisingHead, nothing: Callable[[int], Tensor], path: Tensor, out: Path) -> None:
    """A GIF of the velocity, over the way from noise to data, with points (steps + 1, points, 2) that follow it."""
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = torch.linspace(-EDGE, EDGE, ARROWS)
    places = torch.cartesian_prod(side, side)
    z, steps = nothing(len(places)), len(path) - 1

    figure = Figure(figsize=(4, 4), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    arrows = ax.quiver(*places.T, *torch.zeros_like(places).T, angles="xy", scale=60, color="tab:blue", alpha=0.6)
    points = ax.scatter(*path[0].T, s=3, color="tab:red")
    _frame(ax)

    def show(step: int):
        velocity = head.velocity(places, step / steps, z)
        velocity *= (LONGEST / velocity.norm(dim=1, keepdim=True)).clamp(max=1)
        arrows.set_UVC(*velocity.T.numpy())
        points.set_offsets(path[step].numpy())
        ax.set_title(f"{name}, time {step / steps:.2f}", fontsize=9)
        return arrows, points

    frames = [*range(steps + 1), *[steps] * FRAMES_PER_SECOND]  # and a second to look at the end
    FuncAnimation(figure, show, frames=frames, blit=False).save(out, writer=PillowWriter(FRAMES_PER_SECOND))


def _frame(ax) -> None:
    ax.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal", xticks=[], yticks=[])
