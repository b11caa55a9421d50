"""The second half of a TTS evaluation: what recognisers understand, whom it sounds like, how clean it is.

The recordings and their resynthesis by the codec are judged beside the speech, every corpus by itself.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor

from speechgen.audio.files import AudioError, read_audio
from speechgen.errors import UserError
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import read_json, score_items, stamp_of, write_json
from speechgen.evaluation.metrics import Dnsmos, SpeakerSimilarity, Unscorable, require_evaluation
from speechgen.evaluation.recognisers import PocketSphinx, Recogniser, count_errors, load_recogniser
from speechgen.evaluation.recordings import Recordings, find_recordings
from speechgen.evaluation.score import REPORT
from speechgen.evaluation.statistics import mean_estimate, ratio_estimate
from speechgen.evaluation.tts import RESYNTHESIS, corpus_prefix, read_list

VERSIONS = ("speech", "recording", "resynthesis")
PACKAGES = ("jiwer", "pocketsphinx", "resemblyzer", "speechmos", "onnxruntime")
UNDERSTOOD = 0.5  # error rate of the recordings above which a recogniser's opinion of a corpus says nothing
MOST_WER_RATIO, LEAST_CLOSER, LEAST_X_REAL_TIME = 1.25, 0.8, 3.0  # what a good voice reaches

Scores = dict[str, dict]  # of one utterance: by version its errors by recogniser, dnsmos, sim and sim_other


@dataclass(frozen=True)
class Judged:
    """One utterance to judge. ``own``: its speaker's other recordings; ``other``: those of a random other speaker."""

    name: str
    folder: Path
    source: str
    own: tuple[str, ...]
    other: tuple[str, ...]
    recognisers: tuple[str, ...]

    @property
    def audio(self) -> tuple[Path, Path]:
        """The speech and the resynthesis."""
        return self.folder / f"{self.name}.wav", self.folder / RESYNTHESIS / f"{self.name}.wav"

    def stamp(self) -> str:
        recorded = _recordings(self.source).stamp(self.name)
        voices = zlib.crc32(repr((self.own, self.other)).encode())
        return f"{stamp_of(*self.audio)}, {recorded}, voices {voices:x}, {' '.join(self.recognisers)}"


def score_speech(
    folder: str | Path,
    listener: str | None = None,
    jobs: int = 1,
    seed: int = 0,
    on_utterance: Callable[[], None] = lambda: None,
    time_limit: float | None = None,
) -> dict:
    """Score what ``speak_all`` made, write DIR/report.json and return it; scores that are already there are kept.

    Pocketsphinx listens to English, and to everything the listener: the one that the model was aligned by, unless
    another is named. ``seed`` draws the other speaker that each voice is compared with. What takes longer than
    ``time_limit`` seconds has failed. Raises UserError for nothing to score or a missing package of the extra ``eval``.
    """
    folder = Path(folder)
    summary, lines = read_json(folder / SUMMARY), read_list(folder)
    for package in PACKAGES:
        require_evaluation(package)
    recognisers = (PocketSphinx.name, listener or summary["listener"])
    for name in recognisers:
        load_recogniser(name)  # a wrong name is told now, not by a worker
    recordings = _recordings(summary["source"])
    gone = [name for name in lines if name not in recordings.utterances]
    if gone:
        raise UserError(f"{summary['source']}: {gone[0]} is not there any more; generate again")
    failed = {name: line["failed"] for name, line in lines.items() if "failed" in line}
    for _ in failed:
        on_utterance()
    said = [name for name in lines if name not in failed]
    items = {name: _judged(name, folder, recordings, recognisers, seed) for name in said}
    scores, unscorable = score_items(folder, items, judge, jobs, on_utterance, time_limit)
    failed |= unscorable
    by_corpus: dict[str, list[str]] = defaultdict(list)
    for name, line in lines.items():
        by_corpus[corpus_prefix(line["speaker"])].append(name)
    corpora = [corpus_line(corpus, names, lines, scores) for corpus, names in by_corpus.items()]
    together = {"closer": closer_to_own(lines, scores), **speed(lines[name] for name in said)}
    report = {
        "source": summary["source"],
        "sample_rate": summary["sample_rate"],
        "facts": summary["facts"],
        "n": len(scores),
        "failed": len(failed),
        "targets": targets(corpora, together),
        "corpora": corpora,
        "all": together,
        "failures": [{"utterance": name, "reason": reason} for name, reason in failed.items()],
    }
    write_json(folder / REPORT, report)
    return report


def judge(item: Judged) -> Scores | str:
    """The scores of an utterance's three versions, or why there are none."""
    recordings = _recordings(item.source)
    utterance = recordings.utterances[item.name]
    try:
        speech, rate = read_audio(item.audio[0])
        waves = speech, recordings.read(item.name, rate), read_audio(item.audio[1], rate)[0]
        voices = {"sim": _voice(item.source, item.own, rate), "sim_other": _voice(item.source, item.other, rate)}
        scores: Scores = {}
        for version, wave in zip(VERSIONS, waves, strict=True):
            errors = {}
            for recogniser in _recognisers(item.recognisers):
                if utterance.language in recogniser.languages:
                    heard = recogniser.transcribe(wave, rate)
                    errors[recogniser.name] = {"heard": heard}
                    errors[recogniser.name] |= asdict(count_errors(utterance.text, heard, utterance.language))
            scores[version] = {"errors": errors, **_judgements(wave, rate, voices)}
        return scores
    except UserError as error:  # of its recording, its audio or its text
        return str(error)


def corpus_line(corpus: str, names: list[str], lines: dict[str, dict], scores: dict[str, Scores]) -> dict:
    """What the report says of one corpus."""
    scored = {name: scores[name] for name in names if name in scores}
    timed = [lines[name] for name in names if "failed" not in lines[name]]
    line = {
        "name": corpus,
        "languages": sorted({lines[name]["language"] for name in names}),
        "speakers": len({lines[name]["speaker"] for name in names}),
        "n": len(scored),
        "failed": len(names) - len(scored),
        "recognisers": {},
        "closer": closer_to_own(lines, scored),
        **speed(timed),
    }
    for key in ("dnsmos", "sim", "sim_other"):
        line[key] = {version: _mean(one[version][key] for one in scored.values()) for version in VERSIONS}
    for recogniser in dict.fromkeys(name for one in scored.values() for name in one["recording"]["errors"]):
        line["recognisers"][recogniser] = error_rates(recogniser, list(scored.values()))
    return line


def error_rates(recogniser: str, scores: list[Scores]) -> dict:
    """Error rates of each version, and as a multiple of the recordings'.

    Words and characters for pocketsphinx; characters only for a listener, which knows no words. Where a recogniser
    does not understand the recordings, what it makes of speech says nothing: ``understands`` is then False.
    """
    counted = [one for one in scores if recogniser in one["recording"]["errors"]]
    kinds = {"cer": ("character_errors", "characters")}
    if recogniser == PocketSphinx.name:
        kinds = {"wer": ("word_errors", "words"), **kinds}

    def column(version: str, key: str) -> list[int]:
        return [one[version]["errors"][recogniser][key] for one in counted]

    line: dict = {"n": len(counted)}
    for kind, (errors, units) in kinds.items():
        line[kind] = {v: ratio_estimate(column(v, errors), column(v, units)).to_json() for v in VERSIONS}
    first, (errors, _) = next(iter(kinds.items()))
    line["understands"] = line[first]["recording"]["mean"] <= UNDERSTOOD
    line[f"{first}_ratio"] = {
        version: _paired_ratio(column(version, errors), column("recording", errors))
        for version in ("speech", "resynthesis")
    }
    return line


def closer_to_own(lines: dict[str, dict], scores: dict[str, Scores]) -> dict | None:
    """The share of speakers whose speech is on average nearer to their own recordings than to another speaker's.

    A speaker in whose speech no voice was found counts as not nearer. None where there is no other speaker.
    """
    of_speaker: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, one in scores.items():
        pair = one["speech"]["sim"], one["speech"]["sim_other"]
        comparable = one["recording"]["sim"] is not None and one["recording"]["sim_other"] is not None
        if comparable:
            of_speaker[lines[name]["speaker"]].append(pair if None not in pair else (0.0, 0.0))
    means = [np.mean(pairs, axis=0) for pairs in of_speaker.values()]
    if not means:
        return None
    return {**mean_estimate([float(own > other) for own, other in means]).to_json(), "n": len(means)}


def speed(lines: Iterable[dict]) -> dict:
    """Seconds of speech per second of compute, and the median of seconds to first audio."""
    lines = list(lines)
    if not lines:
        return {"x_real_time": None, "first_audio": None}
    compute = sum(line["seconds"] / line["x_real_time"] for line in lines)
    return {
        "x_real_time": sum(line["seconds"] for line in lines) / compute,
        "first_audio": float(np.median([line["first_audio"] for line in lines])),
    }


def targets(corpora: list[dict], together: dict) -> list[dict]:
    """What a good voice reaches, beside what was measured."""
    lines = []
    for corpus in corpora:
        heard = corpus["recognisers"].get(PocketSphinx.name)
        if heard and heard["understands"] and heard["wer_ratio"]["speech"]:
            ratio = heard["wer_ratio"]["speech"]
            what = f"{corpus['name']}: word error rate of speech / of recordings ({PocketSphinx.name})"
            lines.append(_target(what, "at most", MOST_WER_RATIO, ratio, corpus["n"]))
    if together["closer"]:
        share = together["closer"]
        what = "speakers whose speech is closer to them than to a random other"
        lines.append(_target(what, "at least", LEAST_CLOSER, share, share["n"]))
    if together["x_real_time"]:
        measured = {"mean": together["x_real_time"], "ci95": None}
        count = sum(corpus["n"] for corpus in corpora)
        lines.append(_target("x real time", "at least", LEAST_X_REAL_TIME, measured, count))
    return lines


def _target(what: str, bound: str, value: float, measured: dict, count: int) -> dict:
    met = measured["mean"] <= value if bound == "at most" else measured["mean"] >= value
    return {"what": what, "bound": bound, "target": value, "measured": measured, "n": count, "met": met}


def _judged(name: str, folder: Path, recordings: Recordings, recognisers: tuple[str, ...], seed: int) -> Judged:
    by_speaker: dict[str, list[str]] = defaultdict(list)
    for other, utterance in recordings.utterances.items():
        by_speaker[utterance.speaker].append(other)
    speaker = recordings.utterances[name].speaker
    own = tuple(other for other in by_speaker[speaker] if other != name)
    strangers = sorted(set(by_speaker) - {speaker})
    # Drawn for each utterance by itself, so that it does not hang on which others were said.
    draw = np.random.default_rng([seed, zlib.crc32(name.encode())])
    other = tuple(by_speaker[strangers[draw.integers(len(strangers))]]) if strangers else ()
    return Judged(name, folder, recordings.source, own, other, recognisers)


def _judgements(wave: Tensor, rate: int, voices: dict[str, np.ndarray | None]) -> dict[str, float | None]:
    """DNSMOS and the similarity to each voice; None for what cannot be judged."""
    dnsmos, similarity = _judges()
    scores: dict[str, float | None] = {"dnsmos": None, **dict.fromkeys(voices)}
    try:
        scores["dnsmos"] = dnsmos(None, wave, rate)
        embedding = similarity.embed(wave, rate)
    except Unscorable:
        return scores
    for key, voice in voices.items():
        scores[key] = None if voice is None else float(embedding @ voice)
    return scores


def _voice(source: str, names: tuple[str, ...], rate: int) -> np.ndarray | None:
    """The mean direction of the embeddings of recordings, or None where no voice is found in any."""
    found = [embedding for name in names if (embedding := _embedding(source, name, rate)) is not None]
    if not found:
        return None
    mean = np.mean(found, axis=0)
    return mean / np.linalg.norm(mean)


@cache
def _embedding(source: str, name: str, rate: int) -> np.ndarray | None:
    try:
        return _judges()[1].embed(_recordings(source).read(name, rate), rate)
    except (AudioError, Unscorable):
        return None


# Loaded once in each process.
@cache
def _recordings(source: str) -> Recordings:
    return find_recordings(source)


@lru_cache(maxsize=1)
def _judges() -> tuple[Dnsmos, SpeakerSimilarity]:
    return Dnsmos(), SpeakerSimilarity()


@lru_cache(maxsize=1)
def _recognisers(names: tuple[str, ...]) -> list[Recogniser]:
    return [load_recogniser(name) for name in names]


def _mean(values: Iterable[float | None]) -> dict | None:
    known = [value for value in values if value is not None]
    return mean_estimate(known).to_json() if known else None


def _paired_ratio(errors: list[int], recorded: list[int]) -> dict | None:
    """Errors as a multiple of the recordings', utterances drawn with both; None where those have next to none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = ratio_estimate(errors, recorded)
    finite = np.isfinite([estimate.mean, estimate.low, estimate.high]).all()
    return estimate.to_json() if finite else None
