"""The second half of a codec evaluation: from generated audio to means with intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from speechgen.audio.files import AudioError, read_audio
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import GENERATED, read_json, score_items, stamp_of, write_json
from speechgen.evaluation.metrics import METRICS, Metrics, Unscorable, check_metrics
from speechgen.evaluation.statistics import mean_estimate

REPORT = "report.json"
NOT_GENERATED = "was not generated; run the generate stage again"


@dataclass(frozen=True)
class Scored:
    """One system's scores by utterance, and why the others have none."""

    name: str
    generated: dict[str, dict]
    scores: dict[str, dict[str, float]]
    failed: dict[str, str]

    def to_json(self, metrics: list[str]) -> dict:
        """The system's line of the report: kbit/s from real bytes, counts, each metric's mean with its interval."""
        heard = [self.generated[name] for name in self.scores]
        seconds = sum(entry["seconds"] for entry in heard)
        compute = sum(entry["compute_seconds"] for entry in heard)
        line = {
            "name": self.name,
            "kbps": sum(entry["bytes"] for entry in heard) * 8 / 1000 / seconds if heard else None,
            "n": len(self.scores),
            "failed": len(self.failed),
        }
        for metric in metrics:
            values = [scores[metric] for scores in self.scores.values()]
            line[metric] = mean_estimate(values).to_json() if values else None
        # What it costs to hand a recording on as it is says nothing.
        line["x_real_time"] = seconds / compute if compute and self.name != "recording" else None
        return line


def score_all(
    folder: str | Path,
    metrics: list[str] | None = None,
    jobs: int = 1,
    on_utterance: Callable[[], None] = lambda: None,
) -> dict:
    """Score what ``code_all`` made, in so many processes, write DIR/report.json, and return it.

    Scores that are already there are kept. Raises UserError when nothing was generated, or when a package of the
    extra ``eval`` is missing.
    """
    folder = Path(folder)
    summary = read_json(folder / SUMMARY)
    metrics = list(metrics or METRICS)
    check_metrics(metrics)
    systems = [_score_system(folder, name, summary, metrics, jobs, on_utterance) for name in summary["systems"]]
    recorded = systems[0].generated
    report = {
        "source": summary["source"],
        "sample_rate": summary["sample_rate"],
        "seconds": sum(recorded[name]["seconds"] for name in summary["utterances"] if name in recorded),
        "facts": summary["facts"],
        "metrics": metrics,
        "systems": [system.to_json(metrics) for system in systems],
        "failures": [
            {"system": system.name, "utterance": name, "reason": reason}
            for system in systems
            for name, reason in system.failed.items()
        ],
    }
    write_json(folder / REPORT, report)
    return report


def _score_system(
    folder: Path, name: str, summary: dict, metrics: list[str], jobs: int, on_utterance: Callable[[], None]
) -> Scored:
    log = read_json(folder / name / GENERATED)
    made = [utterance for utterance in summary["utterances"] if utterance in log["utterances"]]
    missing = [utterance for utterance in summary["utterances"] if utterance not in log["utterances"]]
    for _ in missing:
        on_utterance()
    pairs = {u: Pair(folder / "recording" / f"{u}.wav", folder / name / f"{u}.wav", tuple(metrics)) for u in made}
    scores, unscorable = score_items(folder / name, pairs, score_pair, jobs, on_utterance)
    failed = {utterance: log["failed"].get(utterance, NOT_GENERATED) for utterance in missing}
    return Scored(name, log["utterances"], scores, {**failed, **unscorable})


@dataclass(frozen=True)
class Pair:
    """Two files to compare, and by which metrics."""

    reference: Path
    degraded: Path
    metrics: tuple[str, ...]

    def stamp(self) -> str:
        return f"{' '.join(self.metrics)}: {stamp_of(self.reference, self.degraded)}"


def score_pair(pair: Pair) -> dict[str, float] | str:
    """Every metric's value, or why there is none."""
    try:
        reference, rate = read_audio(pair.reference)
        degraded, _ = read_audio(pair.degraded)
        return _metrics(pair.metrics)(reference, degraded, rate)
    except (AudioError, Unscorable) as error:
        return str(error)


@lru_cache(maxsize=1)
def _metrics(names: tuple[str, ...]) -> Metrics:
    """The models of the metrics, loaded once in each process."""
    return Metrics(names)
