"""What report.json and report.csv say of a codec evaluation: means with intervals, differences, slices, the worst."""

import csv
import io
import zlib
from pathlib import Path

from speechgen.evaluation.codec_scored import Scored, to_json
from speechgen.evaluation.codec_targets import codec_targets
from speechgen.evaluation.logs import write_text
from speechgen.evaluation.metrics import REPORTED
from speechgen.evaluation.recordings import corpora
from speechgen.evaluation.slices import MEASURED, find_slices
from speechgen.evaluation.statistics import PairedBootstrap, Value

DRIFT_METRICS = ("pesq_wb", "stoi", "sim", "mel")  # what is followed from one re-encoding to the next
WORST = 10


def build_report(
    summary: dict, metrics: list[str], systems: list[Scored], measures: dict[str, dict], notes: dict[str, str]
) -> dict:
    """Everything that report.html shows but sound and pictures."""
    utterances = summary["utterances"]
    recorded = systems[0].log["utterances"]
    bootstrap = PairedBootstrap(utterances)
    mine = [system for system in systems if system.name in summary.get("subject", [])]
    return {
        "source": summary["source"],
        "sample_rate": summary["sample_rate"],
        "seconds": sum(recorded[name]["seconds"] for name in utterances if name in recorded),
        "recordings": {"n": len(utterances), "fingerprint": f"{zlib.crc32(repr(utterances).encode()):08x}"},
        "facts": summary["facts"] | notes,
        "metrics": metrics,
        "subject": summary.get("subject", []),
        "systems": [system.to_json(utterances, bootstrap) for system in systems],
        "differences": _differences(summary.get("subject", []), metrics, systems, bootstrap),
        "targets": codec_targets(
            mine,
            systems[0],
            corpora({name: one["speaker"] for name, one in summary.get("about", {}).items()}),
            bootstrap,
        ),
        "slices": _slices(summary, metrics, systems, measures, bootstrap),
        "worst": {metric: {s.name: _worst(metric, s.values[metric]) for s in systems[1:]} for metric in metrics},
        "failures": [
            {"system": system.name, "utterance": name, "metric": metric or None, "reason": reason}
            for system in systems
            for name, reasons in system.failed.items()
            for metric, reason in reasons.items()
        ],
    }


def _differences(
    subject: list[str], metrics: list[str], systems: list[Scored], bootstrap: PairedBootstrap
) -> list[dict]:
    """Each system that the report is about less each other one, over the utterances that both have."""
    lines = []
    for system in [s for s in systems if s.name in subject]:
        for other in [s for s in systems[1:] if s.name not in subject]:
            line: dict = {"system": system.name, "against": other.name}
            for metric in metrics:
                mine, theirs = system.values[metric], other.values[metric]
                line[metric] = to_json(bootstrap.difference(mine, theirs), n=len(mine.keys() & theirs.keys()))
            lines.append(line)
    return lines


def _slices(
    summary: dict, metrics: list[str], systems: list[Scored], measures: dict[str, dict], bootstrap: PairedBootstrap
) -> list[dict]:
    lines = []
    for one in find_slices(summary.get("about", {}), measures):
        members = set(one.names)
        rates = {system.name: system.kbps(one.names) for system in systems}
        line: dict = {"by": one.by, "value": one.value, "n": len(members), "kbps": rates, "systems": {}}
        for system in systems:
            line["systems"][system.name] = {
                metric: to_json(bootstrap.mean(inside), n=len(inside))
                for metric in system.values
                if (inside := system.inside(metric, members))
            }
        lines.append(line)
    return lines


def _worst(metric: str, values: dict[str, Value]) -> list[dict]:
    """The utterances with the ten worst values, the worst first."""
    sign = 1 if REPORTED[metric].higher_is_better else -1
    names = sorted(values, key=lambda name: (sign * values[name].value, name))[:WORST]
    return [{"utterance": name, "value": values[name].value} for name in names]


def write_csv(path: Path, summary: dict, metrics: list[str], systems: list[Scored], measures: dict[str, dict]) -> None:
    """A row for each utterance of each system, for a spreadsheet or pandas; a value that failed is an empty cell."""
    file = io.StringIO()
    about = summary.get("about", {})
    extras = sorted({key for one in about.values() for key in one["extras"]})
    measured = list(MEASURED)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["system", "utterance", "speaker", *extras, *(f"recording_{key}" for key in measured)]
        + ["seconds", "bytes", "kbps", "compute_seconds", *metrics, "failed"]
    )
    for system in systems:
        for name in summary["utterances"]:
            one, facts = about.get(name, {"speaker": "", "extras": {}}), measures.get(name, {})
            coded = system.log["utterances"].get(name)
            cost = [coded["seconds"], coded["bytes"], _kbps(coded), coded["compute_seconds"]] if coded else [""] * 4
            values = [system.values[m][name].value if name in system.values[m] else "" for m in metrics]
            reasons = "; ".join(f"{m}: {r}" if m else r for m, r in system.failed.get(name, {}).items())
            row = [system.name, name, one["speaker"], *(one["extras"].get(key, "") for key in extras)]
            writer.writerow([*row, *(facts.get(key) for key in measured), *cost, *values, reasons])
    write_text(path, file.getvalue())


def _kbps(coded: dict) -> float | str:
    return coded["bytes"] * 8 / 1000 / coded["seconds"] if coded["seconds"] else ""
