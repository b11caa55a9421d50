"""What report.json and report.csv say of a codec evaluation: means with intervals, differences, slices, the worst."""

import csv
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechgen.evaluation.codebooks import system_codebooks
from speechgen.evaluation.logs import write_text
from speechgen.evaluation.metrics import REPORTED
from speechgen.evaluation.slices import MEASURED, find_slices
from speechgen.evaluation.statistics import Estimate, PairedBootstrap, Value, mean_estimate

DRIFT_METRICS = ("pesq_wb", "stoi", "sim", "mel")  # what is followed from one re-encoding to the next
WORST = 10


@dataclass(frozen=True)
class Scored:
    """One system's log of generation, its values by metric and utterance, and why others have none.

    ``failed``: by utterance, the reason by metric, or under an empty name why it was not coded at all. ``drift``: by
    metric, the values of each generation of re-encoding.
    """

    name: str
    folder: Path
    log: dict
    values: dict[str, dict[str, Value]]
    failed: dict[str, dict[str, str]]
    drift: dict[str, list[list[float]]]

    def to_json(self, utterances: list[str], bootstrap: PairedBootstrap) -> dict:
        """The system's line of the report: kbit/s from real bytes, counts, each metric's mean with its interval.

        ``n`` utterances have every metric that applies to them, ``failed`` ones lack at least one.
        """
        coded = [self.log["utterances"][name] for name in utterances if name in self.log["utterances"]]
        seconds, compute = (sum(entry[key] for entry in coded) for key in ("seconds", "compute_seconds"))
        scored = {name for values in self.values.values() for name in values}
        line = {
            "name": self.name,
            "kbps": sum(entry["bytes"] for entry in coded) * 8 / 1000 / seconds if coded else None,
            "bytes": sum(entry["bytes"] for entry in coded),
            "n": len(scored - set(self.failed)),
            "failed": len(self.failed),
        }
        for metric, values in self.values.items():
            line[metric] = _json(bootstrap.mean(values), n=len(values), failed=self._failures(metric))
        costs = self.log.get("costs") or {}
        # What it costs to hand a recording on as it is says nothing.
        line["x_real_time"] = seconds / compute if compute and self.name != "recording" else None
        line["delay_ms"], line["peak_memory_mb"] = costs.get("delay_ms"), costs.get("peak_memory_mb")
        return {**line, **system_codebooks(self.folder, self.log), "generations": self._generations()}

    def _failures(self, metric: str) -> int:
        return sum(metric in reasons or "" in reasons for reasons in self.failed.values())

    def _generations(self) -> dict | None:
        """Means of each metric after 1, 2, ... encodings; ``codes_kept``: the share that stays each time."""
        noted = list(self.log.get("generations", {}).values())
        if not noted:
            return None
        kept = [one["codes_kept"] for one in noted if one["codes_kept"]]
        means = {
            m: [_json(mean_estimate(values)) if values else None for values in rows] for m, rows in self.drift.items()
        }
        return {"n": len(noted), "codes_kept": np.mean(kept, axis=0).tolist() if kept else None, **means}


def build_report(
    summary: dict, metrics: list[str], systems: list[Scored], measures: dict[str, dict], notes: dict[str, str]
) -> dict:
    """Everything that report.html shows but sound and pictures."""
    utterances = summary["utterances"]
    recorded = systems[0].log["utterances"]
    bootstrap = PairedBootstrap(utterances)
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
                line[metric] = _json(bootstrap.difference(mine, theirs), n=len(mine.keys() & theirs.keys()))
            lines.append(line)
    return lines


def _slices(
    summary: dict, metrics: list[str], systems: list[Scored], measures: dict[str, dict], bootstrap: PairedBootstrap
) -> list[dict]:
    lines = []
    for one in find_slices(summary.get("about", {}), measures):
        members = set(one.names)
        line: dict = {"by": one.by, "value": one.value, "n": len(members), "systems": {}}
        for system in systems:
            line["systems"][system.name] = {
                metric: _json(bootstrap.mean(inside), n=len(inside))
                for metric, values in system.values.items()
                if (inside := {name: value for name, value in values.items() if name in members})
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


def _json(estimate: Estimate | None, **more: int) -> dict | None:
    return None if estimate is None else {**estimate.to_json(), **more}
