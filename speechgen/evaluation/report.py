"""report.html: one file to look at and to listen to, everything embedded, nothing fetched."""

import base64
import io
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import soundfile

from speechgen.audio.files import read_audio
from speechgen.audio.pictures import spectrogram_png
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import GENERATED, read_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.metrics import METRICS
from speechgen.evaluation.recordings import spread
from speechgen.evaluation.results import DIGITS, short_path, with_interval

HTML = "report.html"
LISTENED = 4  # utterances in the listening table
LISTENED_SECONDS = 12.0


def write_html(folder: str | Path, report: dict) -> Path:
    """Write DIR/report.html from a report and the audio in DIR; returns its path."""
    from jinja2 import Environment

    folder = Path(folder)
    systems = report["systems"]
    names = [system["name"] for system in systems]
    template = Environment(autoescape=True).from_string(
        resources.files("speechgen.evaluation").joinpath("report.html").read_text(encoding="utf-8")
    )
    content = template.render(
        title=f"Codecs on {short_path(report['source'])}",
        report=report,
        machine=describe_machine(),
        source=short_path(report["source"]),
        metrics=[(name, METRICS[name].title, METRICS[name].higher_is_better) for name in report["metrics"]],
        cell=lambda system, metric: with_interval(system[metric], DIGITS[metric]),
        curves=[rate_distortion_svg(systems, metric) for metric in report["metrics"]],
        listening=[_listen(folder, utterance, names) for utterance in _chosen(folder, names)],
    )
    write_text(folder / HTML, content)
    return folder / HTML


def rate_distortion_svg(systems: list[dict], metric: str) -> str:
    """One metric against the real bitrate: a line for each family of systems, bars for the intervals."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 3.1), layout="constrained")
    axes = figure.subplots()
    for family, members in families(systems).items():
        points = sorted((s["kbps"], s[metric]) for s in members if s[metric] and s["kbps"])
        if not points:
            continue
        rates, values = zip(*points, strict=True)
        means = [value["mean"] for value in values]
        if family == "recording":
            axes.axhline(means[0], color="grey", linestyle=":", label=family)
            continue
        below = [max(0.0, value["mean"] - value["ci95"][0]) for value in values]
        above = [max(0.0, value["ci95"][1] - value["mean"]) for value in values]
        axes.errorbar(rates, means, yerr=[below, above], marker="o", markersize=4, capsize=2, label=family)
    axes.set(xlabel="kbit/s", ylabel=METRICS[metric].title)
    axes.grid(alpha=0.3)
    if axes.has_data():
        axes.legend(fontsize=7)
    file = io.StringIO()
    with rc_context({"svg.hashsalt": metric, "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()[file.getvalue().index("<svg") :]


def families(systems: Iterable[dict]) -> dict[str, list[dict]]:
    """Systems that differ in their bitrate only: ``opus-6k`` and ``opus-8k`` are one family."""
    found: dict[str, list[dict]] = {}
    for system in systems:
        found.setdefault(system["name"].rpartition("-")[0] or system["name"], []).append(system)
    return found


def _chosen(folder: Path, systems: list[str]) -> list[str]:
    """Utterances that every system has coded; the rest when there are none."""
    wanted = read_json(folder / SUMMARY)["utterances"]
    coded = [read_json(folder / name / GENERATED)["utterances"].keys() for name in systems]
    shared = [utterance for utterance in wanted if all(utterance in done for done in coded)]
    return list(spread(dict.fromkeys(shared or wanted), LISTENED))


def _listen(folder: Path, utterance: str, systems: list[str]) -> dict:
    """One row of the listening table: each system's audio and pictures, as data addresses."""
    versions, reference = [], None
    for system in systems:
        path = folder / system / f"{utterance}.wav"
        if not path.exists():
            versions.append({"system": system, "audio": None, "picture": None})
            continue
        wave, rate = read_audio(path)
        wave = wave[: round(LISTENED_SECONDS * rate)]
        picture = spectrogram_png(wave, rate, reference=reference)
        reference = wave if system == "recording" else reference
        flac = io.BytesIO()
        soundfile.write(flac, wave.numpy(), rate, format="FLAC", subtype="PCM_16")
        versions.append(
            {
                "system": system,
                "audio": _address("audio/flac", flac.getvalue()),
                "picture": _address("image/png", picture),
            }
        )
    return {"utterance": utterance, "versions": versions}


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
