"""Labels of a chart lie apart from each other and from the points, inside the axes or beside them."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from speechgen.evaluation.labels import apart, label_lines, label_points


@pytest.fixture
def axes():
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    return axes


def boxes(axes) -> list:
    axes.figure.draw_without_rendering()
    return [note.get_window_extent() for note in axes.texts]


def test_close_points_have_labels_apart(axes) -> None:
    points = [(5, 5), (5.05, 5.05), (5.1, 4.95), (9.95, 5), (9.95, 9.95)]
    names = ["raster_flow", "masked_categorical", "joint_flow", "masked_diffusion", "joint_diffusion"]
    label_points(axes, names, points, [(5.3, 5.0)])
    assert [note.get_text() for note in axes.texts] == names
    found, room = boxes(axes), axes.get_window_extent()
    assert not any(one.overlaps(other) for one, other in itertools.combinations(found, 2))
    for box in found:
        assert room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1
    drawn = axes.transData.transform([*points, (5.3, 5.0)])
    assert not any(box.contains(*point) for box in found for point in drawn)


def test_a_lonely_point_has_its_label_at_its_side(axes) -> None:
    label_points(axes, ["cell"], [(5, 5)], [])
    (box,), (x, y) = boxes(axes), axes.transData.transform((5, 5))
    assert 0 < box.x0 - x < 12 and abs((box.y0 + box.y1) / 2 - y) < 12


def test_close_lines_have_labels_apart_beside_the_axes(axes) -> None:
    label_lines(axes, ["vae", "test data", "pixels", "vq"], [2.0, 2.01, 2.02, 7.0])
    texts = [note.get_window_extent() for note in axes.texts]
    axes.figure.draw_without_rendering()
    assert all(box.x1 > axes.get_window_extent().x1 for box in texts)
    middles = [note.xyann[1] + axes.transData.transform((0, note.xy[1]))[1] for note in axes.texts]
    assert all(later - earlier > 9 for earlier, later in itertools.pairwise(middles))


def test_heights_move_as_little_as_they_must() -> None:
    assert apart([0, 10, 20], 5) == [0, 10, 20]
    assert apart([10, 10, 10], 4) == pytest.approx([6, 10, 14])
    assert apart([0, 1, 10], 4) == pytest.approx([-1.5, 2.5, 10])
