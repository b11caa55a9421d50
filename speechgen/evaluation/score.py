"""The second half of a codec evaluation: from generated audio to scores, report.json and report.csv."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.files import AudioError, read_audio
from speechgen.errors import UserError
from speechgen.evaluation.codec_report import DRIFT_METRICS, build_report, write_csv
from speechgen.evaluation.codec_scored import Scored
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import GENERATED, read_json, score_items, stamp_of, write_json
from speechgen.evaluation.metrics import METRICS, REPORTED, Metrics, Unscorable, check_metrics, require_evaluation
from speechgen.evaluation.recognisers import PocketSphinx, Recogniser, called, count_errors, load_recogniser
from speechgen.evaluation.slices import measure
from speechgen.evaluation.statistics import Value

REPORT, TABLE = "report.json", "report.csv"
NOT_GENERATED = "was not generated; run the generate stage again"
CER, MEASURES = "cer", "measures"
RATE = 16000  # Hz, of the noise that metrics are tried on
UNDERSTOOD = 0.5  # character error rate of the recordings above which a recogniser's opinion of codecs says nothing


@dataclass(frozen=True)
class Judged:
    """Two files to compare by one metric; for a character error rate, what is said in them and who listens."""

    metric: str
    reference: Path
    degraded: Path
    text: str = ""
    language: str = ""
    recogniser: str = ""

    def stamp(self) -> str:
        heard = f", {self.recogniser} in {self.language}: {self.text}" if self.metric == CER else ""
        return f"{stamp_of(self.reference, self.degraded)}{heard}"


def judge(item: Judged) -> dict | str:
    """The value of the metric and its weight, or why there is none; of ``measures``, facts of a recording."""
    try:
        reference, rate = read_audio(item.reference)
        if not reference.any():
            return "the recording is silent"
        if item.metric == MEASURES:
            return measure(reference, rate)
        degraded, _ = read_audio(item.degraded)
        if item.metric == CER:
            return _character_errors(item, degraded, rate)
        return {"value": _metric(item.metric)(reference, degraded, rate)[item.metric]}
    except (AudioError, Unscorable) as error:
        return str(error)


def prepare(item: Judged) -> None:
    """Load and compile what this metric needs: for some, minutes of a busy machine on the day of the installation."""
    _prepare(item.metric, item.recogniser)


@lru_cache
def _prepare(metric: str, recogniser: str) -> None:
    noise = torch.randn(RATE, generator=torch.Generator().manual_seed(0)) * 0.1
    with suppress(Unscorable):
        if metric == CER:
            _recogniser(recogniser).transcribe(noise, RATE)
        elif metric == MEASURES:
            measure(noise, RATE)
        else:
            _metric(metric)(noise, noise / 2, RATE)


def _character_errors(item: Judged, wave: Tensor, sample_rate: int) -> dict | str:
    try:
        errors = count_errors(item.text, _recogniser(item.recogniser).transcribe(wave, sample_rate), item.language)
    except UserError as error:  # a text with nothing to say
        return str(error)
    return {"value": errors.character_errors / errors.characters, "weight": errors.characters}


@dataclass
class Evaluation:
    """What is to be scored: a folder that ``code_all`` made, by which metrics, with which recogniser."""

    folder: Path
    metrics: list[str]
    recogniser: str
    summary: dict
    jobs: int = 1
    time_limit: float | None = None
    on_item: Callable[[], None] = lambda: None
    logs: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logs = {name: read_json(self.folder / name / GENERATED) for name in self.summary["systems"]}

    def item(self, system: str, utterance: str, metric: str, generation: int = 0) -> Judged:
        """``generation``: how often it was coded; 0 for the usual once."""
        about = self.summary.get("about", {}).get(utterance, {})
        again = Path(system, "generations", f"{utterance}.{generation}.wav")
        degraded = self.folder / (again if generation else Path(system, f"{utterance}.wav"))
        said = {"text": about["text"], "language": about["language"], "recogniser": self.recogniser}
        said = said if metric == CER else {}
        return Judged(metric, self.folder / "recording" / f"{utterance}.wav", degraded, **said)

    def made(self, system: str) -> list[str]:
        """The utterances that a system has coded."""
        return [name for name in self.summary["utterances"] if name in self.logs[system]["utterances"]]

    def spoken(self) -> list[str]:
        """The utterances whose texts the recogniser could hear."""
        about, languages = self.summary.get("about", {}), _languages(self.recogniser)
        return [name for name, one in about.items() if one["text"].strip() and one["language"] in languages]

    def run(self, items: dict[str, Judged]) -> tuple[dict[str, dict], dict[str, str]]:
        return score_items(self.folder, items, judge, self.jobs, self.on_item, self.time_limit, prepare)


def score_all(
    folder: str | Path,
    metrics: list[str] | None = None,
    jobs: int = 1,
    on_item: Callable[[], None] = lambda: None,
    time_limit: float | None = None,
    recogniser: str = PocketSphinx.name,
) -> dict:
    """Score what ``code_all`` made, in so many processes; write DIR/report.json and DIR/report.csv; return the report.

    Scores that are already there are kept. A metric that takes longer than ``time_limit`` seconds for an utterance has
    failed there. ``on_item`` is called for each metric of each utterance of each system. Without ``metrics`` all are
    taken; a character error rate needs texts in a language of the recogniser. Raises UserError when nothing was
    generated, or when a package of the extra ``eval`` is missing.
    """
    folder = Path(folder)
    work = Evaluation(folder, list(metrics or REPORTED), recogniser, read_json(folder / SUMMARY))
    work.jobs, work.time_limit, work.on_item = jobs, time_limit, on_item
    notes = _settle(work, asked=bool(metrics))
    scores, failed = work.run(_first_items(work))
    if CER in work.metrics:
        heard, deaf = _listen(work, scores, notes)
        scores, failed = {**scores, **heard}, {**failed, **deaf}
    systems = [_collect(work, name, scores, failed) for name in work.summary["systems"]]
    measures = {
        name: scores[key] for name in work.made("recording") if (key := f"recording {name} {MEASURES}") in scores
    }
    report = build_report(work.summary, work.metrics, systems, measures, notes)
    write_json(folder / REPORT, report)
    write_csv(folder / TABLE, work.summary, work.metrics, systems, measures)
    return report


def _settle(work: Evaluation, asked: bool) -> dict[str, str]:
    """Check the metrics, leave a character error rate out that cannot be had, and note why."""
    check_metrics(work.metrics)
    if CER not in work.metrics:
        return {}
    if work.recogniser == PocketSphinx.name:
        require_evaluation("pocketsphinx")
    else:
        load_recogniser(work.recogniser)  # a wrong name is told now, not by a worker
    if work.spoken():
        return {"recogniser": called(work.recogniser)}
    reason = f"no texts in a language that {work.recogniser} knows ({', '.join(_languages(work.recogniser))})"
    if asked:
        raise UserError(f"{work.summary['source']}: {reason}; leave cer out, or name another --recogniser")
    work.metrics.remove(CER)
    return {"left out cer": reason}


def _first_items(work: Evaluation) -> dict[str, Judged]:
    """Everything but what a recogniser makes of the systems, which waits for what it makes of the recordings."""
    items: dict[str, Judged] = {}
    spoken = set(work.spoken()) if CER in work.metrics else set()
    for system in work.summary["systems"]:
        for utterance in work.made(system):
            for metric in work.metrics:
                if metric != CER or (system == "recording" and utterance in spoken):
                    items[f"{system} {utterance} {metric}"] = work.item(system, utterance, metric)
            if system == "recording":
                items[f"{system} {utterance} {MEASURES}"] = work.item(system, utterance, MEASURES)
        for utterance, noted in work.logs[system].get("generations", {}).items():
            for metric in [name for name in DRIFT_METRICS if name in work.metrics]:
                for generation in range(1, noted["count"] + 1):
                    key = f"{system} {utterance}.{generation} {metric}"
                    items[key] = work.item(system, utterance, metric, generation)
    return items


def _listen(work: Evaluation, scores: dict[str, dict], notes: dict[str, str]) -> tuple[dict, dict]:
    """Character error rates of the systems, if those of the recordings are any use."""
    heard = [scores[key] for name in work.spoken() if (key := f"recording {name} {CER}") in scores]
    errors, characters = (sum(one["weight"] * part for one, part in pairs) for pairs in (
        [(one, one["value"]) for one in heard], [(one, 1) for one in heard]
    ))  # fmt: skip
    if not heard or errors > UNDERSTOOD * characters:
        wrong = f"{errors / characters:.0%} of the characters wrong" if heard else "nothing heard"
        notes["cer"] = (
            f"{called(work.recogniser)} does not understand these recordings ({wrong}), so codecs were not judged by it"
        )
        return {}, {}
    spoken = set(work.spoken())
    systems = [system for system in work.summary["systems"] if system != "recording"]
    return work.run(
        {
            f"{system} {utterance} {CER}": work.item(system, utterance, CER)
            for system in systems
            for utterance in work.made(system)
            if utterance in spoken
        }
    )


def _collect(work: Evaluation, name: str, scores: dict[str, dict], failed: dict[str, str]) -> Scored:
    """One system's part of all scores and failures."""
    log = work.logs[name]
    values: dict[str, dict[str, Value]] = {metric: {} for metric in work.metrics}
    reasons: dict[str, dict[str, str]] = {}
    for utterance in work.summary["utterances"]:
        if utterance not in log["utterances"]:
            reasons[utterance] = {"": log["failed"].get(utterance, NOT_GENERATED)}
            continue
        for metric in work.metrics:
            key = f"{name} {utterance} {metric}"
            if key in scores:
                values[metric][utterance] = Value(**scores[key])
            elif key in failed:
                reasons.setdefault(utterance, {})[metric] = failed[key]
    return Scored(name, work.folder / name, log, values, reasons, _drift(work, name, scores))


def _drift(work: Evaluation, name: str, scores: dict[str, dict]) -> dict[str, list[list[float]]]:
    """By metric, the values of each generation of a system's re-encodings."""
    noted = work.logs[name].get("generations", {})
    numbers = range(1, 1 + max((one["count"] for one in noted.values()), default=0))
    drift = {}
    for metric in [metric for metric in DRIFT_METRICS if metric in work.metrics]:
        keys = [[f"{name} {utterance}.{number} {metric}" for utterance in noted] for number in numbers]
        drift[metric] = [[scores[key]["value"] for key in row if key in scores] for row in keys]
    return drift


def count_items(summary: dict, metrics: Iterable[str]) -> int:
    """About how often ``on_item`` will be called."""
    return len(summary["systems"]) * len(summary["utterances"]) * len(list(metrics))


def _languages(recogniser: str) -> tuple[str, ...]:
    return PocketSphinx.languages if recogniser == PocketSphinx.name else ("en", "de")


# Loaded once in each process.
@lru_cache(maxsize=len(METRICS))
def _metric(name: str) -> Metrics:
    return Metrics([name])


@lru_cache(maxsize=1)
def _recogniser(name: str) -> Recogniser:
    return load_recogniser(name)
