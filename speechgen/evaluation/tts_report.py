"""What the scores of a voice amount to: by corpus and recogniser, with intervals."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from speechgen.evaluation.recognisers import knows_words
from speechgen.evaluation.recordings import corpus_prefix
from speechgen.evaluation.statistics import mean_estimate, ratio_estimate

VERSIONS = ("speech", "recording", "resynthesis")
UNDERSTOOD = 0.5  # error rate of the recordings above which a recogniser's opinion of a corpus says nothing
SHORTEST, LONGEST = 0.5, 2.0  # times the recording's length: speech outside has lost or repeated something
MISHEARD, HEARD = 0.5, 0.25  # error rates: of speech that failed, and at most of its recording, else it says nothing

Scores = dict[str, dict]  # of one utterance: by version its errors by recogniser, and what JUDGED names
JUDGED = {
    "dnsmos": "DNSMOS",
    "sim": "SIM own",
    "sim_other": "SIM other",
    "sim_prompt": "SIM prompt",
    "first": "own voice first, %",
    "f0": "F0, Hz",
    "f0_spread": "F0 spread, semitones",
    "length": "times as long",
}


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
    for key in JUDGED:
        line[key] = {version: _mean(one[version][key] for one in scored.values()) for version in VERSIONS}
    recorded = [(one["recording"]["dnsmos"], one["speech"]["dnsmos"]) for one in scored.values()]
    line["dnsmos_lost"] = _mean(before - after for before, after in recorded if None not in (before, after))
    lost = [1.0] * line["failed"]  # neither said nor scored
    line["failures"] = {
        version: _mean([float(bool(problems(one, version))) for one in scored.values()] + lost * (version == "speech"))
        for version in VERSIONS
    }
    for recogniser in dict.fromkeys(name for one in scored.values() for name in one["recording"]["errors"]):
        line["recognisers"][recogniser] = error_rates(recogniser, list(scored.values()))
    return line


def problems(scores: Scores, version: str) -> list[str]:
    """Why an utterance's speech (or resynthesis) counts as failed; empty where it does not."""
    one, recording = scores[version], scores["recording"]
    found = []
    if one["dnsmos"] is None:
        found.append("is silent")
    if not SHORTEST <= one["length"] <= LONGEST:
        found.append(f"is {one['length']:.2f} times as long as the recording")
    for recogniser, counts in one["errors"].items():
        errors, units = next(iter(_kinds(recogniser).values()))
        heard = recording["errors"].get(recogniser)
        rate = counts[errors] / counts[units]
        if heard and rate > MISHEARD and heard[errors] <= HEARD * heard[units]:
            found.append(f"{rate:.0%} of the {units} misheard by {recogniser}")
    return found


def utterance_lines(lines: dict[str, dict], scores: dict[str, Scores], failed: dict[str, str]) -> list[dict]:
    """Every utterance with its scores, the worst first: what failed, then by errors, then by DNSMOS."""

    def badness(line: dict) -> tuple:
        if not line["scores"]:
            return (2, 0.0, 0.0)
        speech = line["scores"]["speech"]
        rates = [one["character_errors"] / one["characters"] for one in speech["errors"].values()]
        return bool(line["problems"]), max(rates, default=0.0), -(speech["dnsmos"] or 0.0)

    told = []
    for name, line in lines.items():
        one = scores.get(name)
        told.append(
            {
                "utterance": name,
                **{key: line[key] for key in ("speaker", "language", "text", "prompt")},
                "problems": problems(one, "speech") if one else [failed.get(name, "was not scored")],
                "scores": one,
            }
        )
    return sorted(told, key=lambda line: (*badness(line), line["utterance"]), reverse=True)


def changes(before: dict, after: dict) -> list[dict]:
    """By corpus, what a model's training on changed: scores of the same sentences in two reports, paired.

    ``difference`` is after less before, with its interval over the utterances that both have.
    """
    older = {line["utterance"]: line["scores"] for line in before["utterances"] if line["scores"]}
    lines = []
    for corpus in after["corpora"]:
        line: dict = {"name": corpus["name"]}
        for key in ("sim", "sim_prompt", "first", "dnsmos"):
            pairs = [
                (older[one["utterance"]]["speech"][key], one["scores"]["speech"][key])
                for one in after["utterances"]
                if one["scores"] and one["utterance"] in older and corpus_prefix(one["speaker"]) == corpus["name"]
            ]
            pairs = [pair for pair in pairs if None not in pair]
            sides = {"before": [a for a, _ in pairs], "after": [b for _, b in pairs]}
            sides["difference"] = [b - a for a, b in pairs]
            line[key] = {"n": len(pairs), **{side: _mean(values) for side, values in sides.items()}}
        lines.append(line)
    return lines


def error_rates(recogniser: str, scores: list[Scores]) -> dict:
    """Error rates of each version, and as a multiple of the recordings'.

    Words and characters for pocketsphinx; characters only for a listener, which knows no words. Where a recogniser
    does not understand the recordings, what it makes of speech says little: ``understands`` is then False, and only
    the rates of the recordings are told, unless it ``is_asked`` all the same.
    """
    counted = [one for one in scores if recogniser in one["recording"]["errors"]]
    kinds = _kinds(recogniser)

    def column(version: str, key: str) -> list[int]:
        return [one[version]["errors"][recogniser][key] for one in counted]

    line: dict = {"n": len(counted), "understands": understands(recogniser, counted)}
    asked = is_asked(recogniser, counted)
    versions = VERSIONS if asked else ("recording",)
    for kind, (errors, units) in kinds.items():
        line[kind] = {v: ratio_estimate(column(v, errors), column(v, units)).to_json() for v in versions}
    if not asked:
        return line
    first, (errors, _) = next(iter(kinds.items()))
    line[f"{first}_ratio"] = {
        version: _paired_ratio(column(version, errors), column("recording", errors))
        for version in ("speech", "resynthesis")
    }
    return line


def understands(recogniser: str, scores: Iterable[Scores]) -> bool:
    """Whether a recogniser gets most of the recordings right, in the first unit that it knows."""
    errors, units = next(iter(_kinds(recogniser).values()))
    heard = [found for one in scores if (found := one["recording"]["errors"].get(recogniser))]
    return sum(one[errors] for one in heard) <= UNDERSTOOD * sum(one[units] for one in heard)


def is_asked(recogniser: str, scores: Iterable[Scores]) -> bool:
    """Whether a recogniser is asked about the speech: if it understands the recordings, or is a listener of ours.

    Pocketsphinx may search for minutes in a clip that it does not understand; a listener reads it in one pass.
    """
    return not knows_words(recogniser) or understands(recogniser, scores)


def _kinds(recogniser: str) -> dict[str, tuple[str, str]]:
    """The rates that a recogniser is good for, each with its errors and its units."""
    kinds = {"cer": ("character_errors", "characters")}
    return {"wer": ("word_errors", "words"), **kinds} if knows_words(recogniser) else kinds


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


def _mean(values: Iterable[float | None]) -> dict | None:
    known = [value for value in values if value is not None]
    return mean_estimate(known).to_json() if known else None


def _paired_ratio(errors: list[int], recorded: list[int]) -> dict | None:
    """Errors as a multiple of the recordings', utterances drawn with both; None where those have next to none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = ratio_estimate(errors, recorded)
    finite = np.isfinite([estimate.mean, estimate.low, estimate.high]).all()
    return estimate.to_json() if finite else None
