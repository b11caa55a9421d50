"""speechgen toy flow: the lesson's files and numbers; the distances it prints."""

import json

import pytest
import torch

from speechgen.data.points import SHAPES
from speechgen.evaluation.distances import energy_distance, frechet_distance, sliced_wasserstein
from speechgen.evaluation.toy import STEPS, Lesson, run_lesson, table


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("toy")
    steps = []
    sizes = Lesson(small=(4, 1), large=(32, 2), training_steps=40, batch=64, points=200, frames=4)
    rows = run_lesson(sizes, out, on_step=lambda: steps.append(1))
    assert len(steps) == sizes.rounds
    return rows, out


def test_every_network_is_measured_on_every_shape(lesson) -> None:
    rows, out = lesson
    networks = ["another draw", "flow, too small", "flow", "diffusion", "rectified flow"]
    assert [(row["shape"], row["network"]) for row in rows] == [(shape, name) for shape in SHAPES for name in networks]
    for row in rows[1:5]:
        assert list(row["energy"]) == list(STEPS)
        assert row["energy"][10] > rows[0]["energy"][0]  # no network is nearer than the data is to itself
    written = json.loads((out / "distances.json").read_text())
    assert written[2]["energy"]["50"] == rows[2]["energy"][50]
    printed = table(rows, "energy").splitlines()
    assert len(printed) == 1 + len(rows) and f"{rows[2]['energy'][50]:.4f}" in printed[3]


def test_pictures_and_animations_are_written(lesson) -> None:
    from PIL import Image

    _, out = lesson
    for shape in SHAPES:
        for network in ("flow", "diffusion", "rectified-flow"):
            with Image.open(out / f"field-{network}-{shape}.gif") as animation:
                assert animation.is_animated and animation.n_frames >= 5  # equal ones at the end may be joined
        with Image.open(out / f"paths-{shape}.png") as picture:
            assert picture.width > 600


def test_distances_know_same_from_different() -> None:
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randn(2000, 2, generator=draw) for _ in range(2))
    assert energy_distance(a, b) < 0.01 < energy_distance(a, b + 1)
    assert sliced_wasserstein(a, b, draw) < 0.1
    moved = sliced_wasserstein(a, a + torch.tensor([3.0, 0.0]), draw, slices=4000)
    assert abs(moved - 3 * 2 / torch.pi) < 0.05  # the mean of |cos|
    with pytest.raises(ValueError, match="same size"):
        sliced_wasserstein(a, b[:5], draw)


def test_frechet_distance_of_gaussians() -> None:
    draw = torch.Generator().manual_seed(0)
    a = torch.randn(20000, 3, generator=draw)
    assert frechet_distance(a, a) < 1e-6
    # Deviations 1 and 2, means 0 and 1 along each of three axes: 3 (1 + (2 - 1)^2).
    assert abs(frechet_distance(a, 2 * torch.randn(20000, 3, generator=draw) + 1) - 6) < 0.2
