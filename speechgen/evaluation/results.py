"""RESULTS.md: the table of an evaluation beside the facts that it hangs on. Written by the score stage only."""

from pathlib import Path

from speechgen.evaluation.codec_targets import DIFFERENCE
from speechgen.evaluation.logs import write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.metrics import REPORTED
from speechgen.evaluation.statistics import Estimate

DIGITS = {
    "pesq_wb": 2,
    "stoi": 3,
    "estoi": 3,
    "sim": 3,
    "dnsmos": 2,
    "si_sdr": 1,
    "mel": 2,
    "stft": 2,
    "f0": 0,
    "cer": 3,
}
PAIRED = "differences of DNSMOS are means over pairs of a coded recording and the recording itself"


def write_codec_results(path: str | Path, report: dict) -> None:
    """Write a codec report as RESULTS.md; the file appears complete or not at all."""
    minutes = report["seconds"] / 60
    facts = {
        "test data": f"{short_path(report['source'])}, {minutes:.1f} minutes at {report['sample_rate']} Hz",
        **{str(key): str(value) for key, value in report["facts"].items()},
        "scored on": describe_machine(),
    }
    notes = [
        "Means with 95 % bootstrap intervals over utterances. kbit/s from real bytes, container included.",
        "x real time: seconds of audio per second of compute, encoding and decoding, one recording at a time.",
    ]
    parts = [systems_table(report, ("x_real_time",))]
    for one in report["slices"]:
        if one["by"] == "corpus":
            parts.append(f"## {one['value']}\n\n{_slice_table(report['metrics'], one)}")
    if report["targets"]:
        parts.append(_targets(report["targets"]))
        notes.append(f"Targets are those of `speechgen/evaluation/codec_targets.py`; {PAIRED}.")
    write_text(Path(path), page("Codec results", "speechgen codec score", facts, parts, notes))


def _slice_table(metrics: list[str], one: dict) -> str:
    """The systems over some of the recordings."""
    rows = [
        [name, _number(one["kbps"][name], 2), str(one["n"])]
        + [with_interval(values.get(metric), DIGITS[metric]) for metric in metrics]
        for name, values in one["systems"].items()
    ]
    return table(["system", "kbit/s", "n", *(REPORTED[metric].title for metric in metrics)], rows)


def _targets(targets: list[dict]) -> str:
    rows = []
    for one in targets:
        difference = one["what"] == DIFFERENCE
        title = "DNSMOS, above the recordings'" if difference else REPORTED[one["what"]].title
        digits = DIGITS["dnsmos" if difference else one["what"]]
        name = f"{one['group']}: {one['system']}" if one["group"] else one["system"]
        rows.append(
            [name, f"{one['kbps']:.2f}", f"{one['up_to_kbps']:g}", title, f"{one['target']:g}"]
            + [with_interval(one["measured"], digits), str(one["n"]), "yes" if one["met"] else "no"]
        )
    header = ["system", "kbit/s", "limit", "what", "at least", "measured", "n", "met"]
    return "## Targets\n\n" + table(header, rows)


def systems_table(report: dict, also: tuple[str, ...] = ()) -> str:
    """Each codec of a report with its bitrate, counts and metrics; ``also``: further figures, by their keys."""
    metrics = report["metrics"]
    titles = (*(REPORTED[name].title for name in metrics), *(name.replace("_", " ") for name in also))
    rows = [
        [
            system["name"],
            _number(system["kbps"], 2),
            str(system["n"]),
            str(system["failed"]),
            *(with_interval(system[name], DIGITS[name]) for name in metrics),
            *(_number(system[name], 1) for name in also),
        ]
        for system in report["systems"]
    ]
    return table(["system", "kbit/s", "n", "failed", *titles], rows)


def page(title: str, verb: str, facts: dict[str, str], tables: list[str], notes: list[str]) -> str:
    """A Markdown page: title, facts, tables, notes."""
    lines = [f"# {title}", "", f"Written by `{verb}`; not edited by hand.", ""]
    lines += [f"- {key}: {value}" for key, value in facts.items()]
    for one in tables:
        lines += ["", one]
    return "\n".join([*lines, "", *notes]) + "\n"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *escaped])


def percent(values: dict | None) -> dict | None:
    """An estimate of a share (``mean`` and ``ci95``) in percent."""
    if values is None:
        return None
    return {**values, "mean": 100 * values["mean"], "ci95": [100 * limit for limit in values["ci95"]]}


def with_interval(values: dict | None, digits: int) -> str:
    """``2.31 (2.25-2.38)``, or a dash where there is nothing."""
    if values is None:
        return "-"
    estimate = Estimate.from_json(values)
    to = " to " if estimate.low < 0 else "-"
    return f"{estimate.mean:.{digits}f} ({estimate.low:.{digits}f}{to}{estimate.high:.{digits}f})"


def short_path(path: str) -> str:
    """A path as the reader knows it: relative to here, or only its last two parts."""
    full = Path(path).resolve()
    if full.is_relative_to(Path.cwd()):
        return str(full.relative_to(Path.cwd()))
    return str(Path(*full.parts[-2:])) if len(full.parts) > 2 else str(full)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
