"""The flow-matching lesson: from noise to two Gaussians and to a spiral, and what steps and size do.

The heads are those that draw speech and images; here their units are points in the plane.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from speechgen.config import Config
from speechgen.data.points import SHAPES
from speechgen.evaluation.distances import energy_distance, sliced_wasserstein
from speechgen.evaluation.toy_pictures import draw_field, draw_paths
from speechgen.heads.base import build_head
from speechgen.heads.denoising import DenoisingHead
from speechgen.heads.diffusion import DiffusionHeadConfig
from speechgen.heads.flow import FlowHead, FlowHeadConfig
from speechgen.training.toy import nothing, train_points

STEPS = (1, 3, 10, 50)  # of sampling
ANIMATED = ("flow", "diffusion", "rectified flow")


@dataclass(frozen=True)
class Lesson:
    """``points`` are compared; training takes ``training_steps`` of ``batch`` points; an animation has ``frames``."""

    small: tuple[int, int] = (8, 1)  # width and blocks of a network that is too small
    large: tuple[int, int] = (128, 3)
    training_steps: int = 2000
    batch: int = 256
    points: int = 2000
    frames: int = 40
    learning_rate: float = 3e-3
    seed: int = 0

    @property
    def rounds(self) -> int:
        """Training steps in all: four networks for each shape."""
        return 4 * len(SHAPES) * self.training_steps


def run_lesson(lesson: Lesson, out: Path, on_step: Callable[[], None] = lambda: None) -> list[dict]:
    """Train and sample every network on every shape; writes distances.json, paths-*.png and field-*.gif into ``out``.

    Returns a row for each shape and network: ``{"shape", "network", "parameters", "loss", "energy": {steps: distance},
    "sliced_wasserstein": {...}}``; the network "another draw" is the distance of two draws of the shape itself.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for shape in SHAPES:
        rows += _run_shape(shape, lesson, out, on_step)
    (out / "distances.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows


def _run_shape(shape: str, lesson: Lesson, out: Path, on_step: Callable[[], None]) -> list[dict]:
    draw, generator = SHAPES[shape], torch.Generator().manual_seed(lesson.seed)
    real, again = (draw(lesson.points, generator) for _ in range(2))
    rows = [{"shape": shape, "network": "another draw", **_distances({0: again}, real, lesson.seed)}]

    def batch(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        return draw(lesson.batch, generator), {}

    heads = {}
    for name, config in _configs(lesson).items():
        torch.manual_seed(lesson.seed)
        head = heads[name] = build_head(config, 1, unit_width=2)
        loss = train_points(head, batch, lesson.training_steps, lesson.learning_rate, generator, on_step)
        rows.append(_row(shape, name, head, loss, real, lesson))
    heads["rectified flow"] = rectified = copy.deepcopy(heads["flow"])
    loss = _rectify(rectified, heads["flow"], lesson, generator, on_step)
    rows.append(_row(shape, "rectified flow", rectified, loss, real, lesson))
    paths = {name: {steps: _path(head, lesson, steps, 200) for steps in STEPS} for name, head in heads.items()}
    draw_paths(paths, real, out / f"paths-{shape}.png")
    for name in ANIMATED:
        path = _path(heads[name], lesson, lesson.frames, 400)
        draw_field(name, heads[name], nothing, path, out / f"field-{name.replace(' ', '-')}-{shape}.gif")
    return rows


def table(rows: list[dict], distance: str) -> str:
    """The rows as lines to print: a distance for each number of steps."""
    lines = [f"{'':28}{'parameters':>11}" + "".join(f"{f'{steps} step' + 's' * (steps > 1):>10}" for steps in STEPS)]
    for row in rows:
        found = row[distance]
        name = f"{row['shape']}, {row['network']}"
        numbers = [f"{found[steps]:.4f}" if steps in found else "" for steps in (STEPS if 0 not in found else (0,))]
        lines.append(f"{name:28}{row.get('parameters', ''):>11}" + "".join(f"{number:>10}" for number in numbers))
    return "\n".join(lines)


def _configs(lesson: Lesson) -> dict[str, Config]:
    small, large = ({"width": width, "blocks": blocks} for width, blocks in (lesson.small, lesson.large))
    return {
        "flow, too small": FlowHeadConfig(**small),
        "flow": FlowHeadConfig(**large),
        "diffusion": DiffusionHeadConfig(**large),
    }


def _rectify(rectified: FlowHead, flow: FlowHead, lesson: Lesson, generator: torch.Generator, on_step) -> float:
    """Train on pairs of noise and the point that the first flow carries it to, so that paths become straight."""
    noise, units = flow.couples(nothing(16 * lesson.batch), generator)

    def batch(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        picks = torch.randint(len(units), (lesson.batch,), generator=generator)
        return units[picks], {"noise": noise[picks]}

    return train_points(rectified, batch, lesson.training_steps, lesson.learning_rate / 3, generator, on_step)


def _path(head: DenoisingHead, lesson: Lesson, steps: int, points: int) -> Tensor:
    """Where points are after each step, their noise first: (steps + 1, points, 2)."""
    generator = torch.Generator().manual_seed(lesson.seed)
    return torch.stack(list(head.path(nothing(points), generator=generator, steps=steps)))


def _row(shape: str, name: str, head: DenoisingHead, loss: float, real: Tensor, lesson: Lesson) -> dict:
    made = {steps: _path(head, lesson, steps, lesson.points)[-1] for steps in STEPS}
    parameters = sum(parameter.numel() for parameter in head.parameters())
    facts = {"shape": shape, "network": name, "parameters": parameters, "loss": loss}
    return {**facts, **_distances(made, real, lesson.seed)}


def _distances(made: dict[int, Tensor], real: Tensor, seed: int) -> dict[str, dict[int, float]]:
    lines = {steps: torch.Generator().manual_seed(seed) for steps in made}
    return {
        "energy": {steps: energy_distance(points, real) for steps, points in made.items()},
        "sliced_wasserstein": {steps: sliced_wasserstein(points, real, lines[steps]) for steps, points in made.items()},
    }
