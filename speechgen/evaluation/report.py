"""report.html: one file to look at and to listen to, everything embedded, nothing fetched."""

import json
from importlib import resources
from pathlib import Path

from speechgen.evaluation.charts import drift_svg, families, family_colours, family_of, rate_distortion_svg
from speechgen.evaluation.codec_report import DRIFT_METRICS
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import GENERATED, read_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.metrics import REPORTED
from speechgen.evaluation.recordings import spread
from speechgen.evaluation.results import DIGITS, short_path
from speechgen.evaluation.sounds import listen, worst_sounds

HTML = "report.html"
LISTENED = 4  # utterances in the listening table


def write_html(folder: str | Path, report: dict) -> Path:
    """Write DIR/report.html from a report and the audio in DIR; returns its path."""
    from jinja2 import Environment

    folder = Path(folder)
    systems = report["systems"]
    names = [system["name"] for system in systems]
    metrics = [
        {"name": m, "title": REPORTED[m].title, "higher": REPORTED[m].higher_is_better, "digits": DIGITS[m]}
        for m in report["metrics"]
    ]
    chosen = _chosen(folder, names)
    drifting = [
        m for m in DRIFT_METRICS if any(s["generations"] and any(s["generations"].get(m) or []) for s in systems)
    ]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    content = environment.from_string(part("report.html")).render(
        title=f"Codecs on {short_path(report['source'])}",
        style=part("report.css"),
        script=part("report.js"),
        report=report,
        machine=describe_machine(),
        source=short_path(report["source"]),
        metrics=metrics,
        colours=family_colours(systems),
        families=[name for name in families(systems)],
        family=family_of,
        curves=[rate_distortion_svg(systems, metric) for metric in report["metrics"]],
        drifts=[drift_svg(systems, metric) for metric in drifting],
        listening=[
            {"utterance": utterance, "text": _text(folder, utterance), "versions": listen(folder, utterance, names)}
            for utterance in chosen
        ],
        data=_inert({key: report[key] for key in ("subject", "systems", "differences", "slices", "worst")}),
        columns=_inert(metrics),
        sounds=_inert(worst_sounds(folder, report["worst"], report["subject"], chosen)),
    )  # fmt: skip
    write_text(folder / HTML, content)
    return folder / HTML


def part(name: str) -> str:
    """A template, style or script of a report."""
    return resources.files("speechgen.evaluation").joinpath(name).read_text(encoding="utf-8")


def _inert(values: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(values, ensure_ascii=False).replace("<", "\\u003c")


def _text(folder: Path, utterance: str) -> str:
    return read_json(folder / SUMMARY).get("about", {}).get(utterance, {}).get("text", "")


def _chosen(folder: Path, systems: list[str]) -> list[str]:
    """Utterances that every system has coded; the rest when there are none."""
    wanted = read_json(folder / SUMMARY)["utterances"]
    coded = [read_json(folder / name / GENERATED)["utterances"].keys() for name in systems]
    shared = [utterance for utterance in wanted if all(utterance in done for done in coded)]
    return list(spread(dict.fromkeys(shared or wanted), LISTENED))
