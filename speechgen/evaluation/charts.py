"""The curves of a codec report, as SVG that stands in the page itself."""

import io
from collections.abc import Iterable

from speechgen.evaluation.metrics import REPORTED

# Told apart by people with any colour vision (Okabe and Ito 2008); the subject of a report has the first.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#4d4d4d")
RECORDING = "#888888"
TICKS = (0.5, 1, 2, 3, 5, 8, 12, 16, 24, 32, 64, 128, 256)


def families(systems: Iterable[dict]) -> dict[str, list[dict]]:
    """Systems that differ in their bitrate only: ``opus-6k`` and ``opus-8k`` are one family."""
    found: dict[str, list[dict]] = {}
    for system in systems:
        found.setdefault(family_of(system["name"]), []).append(system)
    return found


def family_of(name: str) -> str:
    """The name of a system without its bitrate."""
    return name.rpartition("-")[0] or name


def family_colours(systems: Iterable[dict]) -> dict[str, str]:
    """A colour for each family, the same all over a report."""
    names = [name for name in families(systems) if name != "recording"]
    return {"recording": RECORDING} | {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def rate_distortion_svg(systems: list[dict], metric: str) -> str:
    """One metric against the real bitrate: a line with its 95 % band for each family of systems."""
    figure, axes = _figure()
    colours = family_colours(systems)
    rates: list[float] = []
    for family, members in families(systems).items():
        points = sorted(((s["kbps"], s[metric]) for s in members if s[metric] and s["kbps"]), key=lambda p: p[0])
        if not points:
            continue
        means = [value["mean"] for _, value in points]
        low, high = (
            [min(v["mean"], v["ci95"][0]) for _, v in points],
            [max(v["mean"], v["ci95"][1]) for _, v in points],
        )
        colour = colours[family]
        if family == "recording":
            if metric == "si_sdr":
                continue  # at its limit of 100 dB it would flatten all the rest
            axes.axhline(means[0], color=colour, linestyle=(0, (2, 2)), linewidth=1, gid=family)
            continue
        x = [rate for rate, _ in points]
        rates += x
        if len(points) > 1:
            axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        axes.vlines(x, low, high, color=colour, linewidth=1.2, alpha=0.7)
        axes.plot(x, means, marker="o", markersize=4, linewidth=1.6, color=colour, gid=family)
    arrow = "higher is better" if REPORTED[metric].higher_is_better else "lower is better"
    axes.set_title(f"{REPORTED[metric].title}, {arrow}", fontsize=9, loc="left")
    if rates:
        axes.set_xscale("log")
        low, high = min(rates) / 1.15, max(rates) * 1.15
        ticks = [tick for tick in TICKS if low <= tick <= high] or [round(rates[0], 1)]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlim(low, high)
    axes.set_xlabel("kbit/s", fontsize=8)
    return _svg(figure, metric)


def drift_svg(systems: list[dict], metric: str) -> str:
    """One metric after each generation of re-encoding, a line for each system."""
    figure, axes = _figure()
    colours = family_colours(systems)
    shown = [s for s in systems if s["generations"] and any(s["generations"].get(metric) or [])]
    for family, members in families(shown).items():
        for number, system in enumerate(members):
            means = [one and one["mean"] for one in system["generations"][metric]]
            x = [i + 1 for i, mean in enumerate(means) if mean is not None]
            y = [mean for mean in means if mean is not None]
            shade = 1 - 0.55 * (len(members) - 1 - number) / max(1, len(members))
            axes.plot(x, y, marker="o", markersize=3.5, color=colours[family], alpha=shade, gid=system["name"])
            axes.annotate(
                system["name"].rpartition("-")[2], (x[-1], y[-1]), (5, 0), textcoords="offset points",
                fontsize=6.5, color=colours[family], va="center",
            )  # fmt: skip
    axes.set_title(REPORTED[metric].title, fontsize=9, loc="left")
    axes.set_xlabel("times coded", fontsize=8)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return _svg(figure, f"drift {metric}")


def _figure():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 2.9), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, length=3)
    return figure, axes


def _svg(figure, salt: str) -> str:
    """The same picture, and the same text, whenever it is drawn."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    return file.getvalue()[file.getvalue().index("<svg") :]
