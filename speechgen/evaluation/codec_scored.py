"""What one system scored in a codec evaluation, and its line of the report."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechgen.evaluation.codebooks import system_codebooks
from speechgen.evaluation.statistics import Estimate, PairedBootstrap, Value, mean_estimate


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
            "kbps": self.kbps(utterances),
            "bytes": sum(entry["bytes"] for entry in coded),
            "n": len(scored - set(self.failed)),
            "failed": len(self.failed),
        }
        for metric, values in self.values.items():
            line[metric] = to_json(bootstrap.mean(values), n=len(values), failed=self._failures(metric))
        costs = self.log.get("costs") or {}
        # What it costs to hand a recording on as it is says nothing.
        line["x_real_time"] = seconds / compute if compute and self.name != "recording" else None
        line["delay_ms"], line["peak_memory_mb"] = costs.get("delay_ms"), costs.get("peak_memory_mb")
        return {**line, **system_codebooks(self.folder, self.log), "generations": self._generations()}

    def kbps(self, names: Iterable[str]) -> float | None:
        """Kilobits a second over these utterances, from real bytes; None where none of them is coded."""
        coded = [self.log["utterances"][name] for name in names if name in self.log["utterances"]]
        seconds = sum(entry["seconds"] for entry in coded)
        return sum(entry["bytes"] for entry in coded) * 8 / 1000 / seconds if seconds else None

    def inside(self, metric: str, names: Container[str]) -> dict[str, Value]:
        """The values of a metric of these utterances only."""
        return {name: value for name, value in self.values.get(metric, {}).items() if name in names}

    def _failures(self, metric: str) -> int:
        return sum(metric in reasons or "" in reasons for reasons in self.failed.values())

    def _generations(self) -> dict | None:
        """Means of each metric after 1, 2, ... encodings; ``codes_kept``: the share that stays each time."""
        noted = list(self.log.get("generations", {}).values())
        if not noted:
            return None
        kept = [one["codes_kept"] for one in noted if one["codes_kept"]]
        means = {
            m: [to_json(mean_estimate(values)) if values else None for values in rows] for m, rows in self.drift.items()
        }
        return {"n": len(noted), "codes_kept": np.mean(kept, axis=0).tolist() if kept else None, **means}


def to_json(estimate: Estimate | None, **more: int) -> dict | None:
    """An estimate as the report holds it, with further counts; None stays None."""
    return None if estimate is None else {**estimate.to_json(), **more}
