"""Labels of a chart that cover neither each other nor the points that they name."""

import math

SMALL = {"fontsize": 7, "ha": "center", "va": "center"}
LEADER = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0}
DISTANCES = (7, 11, 18, 28, 40, 55)  # pixels between a point and the edge of its label
DIRECTIONS = ((1, 0.5), (-1, 0.5), (0, 1), (0, -1), (1, -0.5), (-1, -0.5), (1, 1), (-1, 1), (1, -1), (-1, -1))
MARKER = 6  # pixels that a point reaches to every side
LED = 15  # pixels from which on a line leads from the point to its label


def label_points(axes, names: list[str], points: list[tuple[float, float]], others: list[tuple[float, float]]) -> None:
    """Write each name near its point, inside the axes; ``others``: points without names, which are kept free, too."""
    axes.figure.draw_without_rendering()
    drawn = axes.transData.transform([*points, *others])
    taken = [(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in drawn]
    room = axes.get_window_extent().extents
    for name, point, (x, y) in zip(names, points, drawn):
        note = axes.annotate(name, point, (0, 0), textcoords="offset pixels", **SMALL)
        extent = note.get_window_extent()
        width, height = extent.width, extent.height + 2
        best, least = None, math.inf
        for distance in DISTANCES:
            for across, up in DIRECTIONS:
                right, top = across * (width / 2 + distance), up * (height / 2 + distance)
                box = (x + right - width / 2, y + top - height / 2, x + right + width / 2, y + top + height / 2)
                outside = width * height - _shared(box, room)
                covered = round(outside + sum(_shared(box, other) for other in taken))
                if covered < least:
                    best, least = (distance, right, top, box), covered
        distance, right, top, box = best
        taken.append(box)
        note.remove()
        leader = {"arrowprops": LEADER} if distance >= LED else {}
        axes.annotate(name, point, (right, top), textcoords="offset pixels", **SMALL, **leader)


def label_lines(axes, names: list[str], heights: list[float]) -> None:
    """Write the names of horizontal lines to the right of the axes, apart where lines lie close."""
    axes.figure.draw_without_rendering()
    order = sorted(range(len(heights)), key=lambda line: heights[line])
    pixels = [axes.transData.transform((1, heights[line]))[1] for line in order]
    gap = 1.4 * SMALL["fontsize"] * axes.figure.dpi / 72
    for line, at, height in zip(order, pixels, apart(pixels, gap)):
        axes.annotate(
            names[line], (1, heights[line]), (14, height - at), xycoords=("axes fraction", "data"),
            textcoords="offset pixels", arrowprops={**LEADER, "relpos": (0, 0.5)}, annotation_clip=False,
            **{**SMALL, "ha": "left"},
        )  # fmt: skip


def apart(heights: list[float], gap: float) -> list[float]:
    """The heights nearest to these rising ones that keep a gap between any two."""
    groups: list[tuple[float, int]] = []  # sums and counts of heights that move together
    for number, height in enumerate(heights):
        total, count = height - number * gap, 1
        while groups and groups[-1][0] / groups[-1][1] > total / count:
            before = groups.pop()
            total, count = total + before[0], count + before[1]
        groups.append((total, count))
    means = [total / count for total, count in groups for _ in range(count)]
    return [mean + number * gap for number, mean in enumerate(means)]


def _shared(one, other) -> float:
    """The area that two boxes (left, bottom, right, top) share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
