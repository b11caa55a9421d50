"""RESULTS.md of a voice: what was aimed at, what was measured, corpus by corpus. Written by the score stage only."""

from pathlib import Path

from speechgen.evaluation.logs import write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.recognisers import called
from speechgen.evaluation.results import page, percent, short_path, table, with_interval
from speechgen.evaluation.tts_report import JUDGED, UNDERSTOOD, VERSIONS

NAMES = {"speech": "speech", "recording": "recordings", "resynthesis": "recordings through the codec"}
NOTES = (
    "Speech: each test sentence said by the model in the voice of another utterance of the same speaker. Recordings "
    "through the codec: encoded to the units that the model draws, and decoded; the model cannot be better than that.",
    "Error rates are all errors over all words (characters), in percent; ratio: errors as a multiple of those in the "
    "recordings of the same utterances. The listener is the recogniser that aligned the training data, and its hidden "
    "layers may have served in training the codec: compare its figures only with one another.",
    "SIM: Resemblyzer cosine with the mean embedding of the speaker's other recordings (own) and with that of a "
    "random other test speaker (other). Closer to own: the share of speakers whose speech is on average more like "
    "the former. SIM prompt: with the recording that gave the voice. Own voice first: the share of sentences that are "
    "more like their own speaker than like any other test speaker. DNSMOS: P.835, overall.",
    "F0: median of pYIN; spread: its standard deviation. Failed: not said, silent, less than half or more than twice "
    "as long as the recording, or more than half of it misheard by a recogniser that gets three quarters of the "
    "recording right.",
    "x real time: seconds of speech per second of compute, one sentence at a time, text and codec included, the "
    "reading of the prompt not. First audio: seconds until the first samples are ready.",
    "Intervals: 95 % bootstrap over utterances (over speakers, for shares of speakers).",
)


def write_tts_results(path: str | Path, report: dict) -> None:
    """Write a report on a voice as RESULTS.md; the file appears complete or not at all."""
    parts = [_targets(report["targets"])] if report["targets"] else []
    for corpus in report["corpora"]:
        parts += [_corpus(corpus), *_excuses(corpus), _delivery(corpus)]
    if report.get("before"):
        parts.append(_before(report["before"]))
    parts.append(_speed(report))
    parts += _failures(report["failures"])
    facts = {
        "test data": f"{short_path(report['source'])}, {report['n']} sentences, {report['failed']} failed",
        **{str(key): str(value) for key, value in report["facts"].items()},
        "scored on": describe_machine(),
    }
    text = page("Voice results", "speechgen tts score", facts, parts, ["\n\n".join(NOTES)])
    write_text(Path(path), text)


def _targets(targets: list[dict]) -> str:
    rows = []
    for target in targets:
        measured = target["measured"]
        shown = with_interval(measured, 2) if measured["ci95"] else f"{measured['mean']:.2f}"
        aim = f"{target['bound']} {target['target']:g}"
        rows.append([target["what"], aim, shown, str(target["n"]), "yes" if target["met"] else "no"])
    return "## Targets\n\n" + table(["what", "target", "measured", "n", "met"], rows)


def _corpus(corpus: dict) -> str:
    understood = {name: rates for name, rates in corpus["recognisers"].items() if rates["understands"]}
    columns = [
        (name, kind, rates)
        for name, rates in understood.items()
        for kind in ("wer", "cer", "ratio")
        if _has(rates, kind)
    ]
    titles = {"wer": "WER, %", "cer": "CER, %", "ratio": "ratio"}
    header = [corpus["name"], *(f"{titles[kind]} ({called(name)})" for name, kind, _ in columns)]
    header += ["SIM own", "SIM other", "DNSMOS"]
    rows = [
        [
            NAMES[version],
            *(_rate(rates, kind, version) for _, kind, rates in columns),
            *(with_interval(corpus[key][version], 3) for key in ("sim", "sim_other")),
            with_interval(corpus["dnsmos"][version], 2),
        ]
        for version in VERSIONS
    ]
    counts = f"{corpus['n']} sentences of {corpus['speakers']} speakers ({', '.join(corpus['languages'])})"
    return f"## {corpus['name']}\n\n{counts}; {corpus['failed']} failed.\n\n{table(header, rows)}"


def _delivery(corpus: dict) -> str:
    """Whose voice it is, how it is spoken, and how often it failed."""
    keys = {"sim_prompt": 3, "first": 0, "f0": 0, "f0_spread": 1, "length": 2}
    header = [corpus["name"], *(JUDGED[key] for key in keys), "failed, %"]
    rows = [
        [
            NAMES[version],
            *(with_interval(percent(corpus[key][version]) if key == "first" else corpus[key][version], digits)
              for key, digits in keys.items()),
            with_interval(percent(corpus["failures"][version]), 1),
        ]
        for version in VERSIONS
    ]  # fmt: skip
    return table(header, rows)


def _before(before: dict) -> str:
    """What the voices gained and lost against the model that training started from."""
    sides = [(key, side) for key in ("sim", "sim_prompt") for side in ("before", "after")]
    changed = {"sim": 3, "sim_prompt": 3, "dnsmos": 2}
    header = ["corpus", "n", *(f"{JUDGED[key]}: {side}" for key, side in sides)]
    header += [f"{JUDGED[key]}: change" for key in changed]
    rows = [
        [
            line["name"],
            str(line["sim"]["n"]),
            *(with_interval(line[key][side], 3) for key, side in sides),
            *(with_interval(line[key]["difference"], digits) for key, digits in changed.items()),
        ]
        for line in before["changes"]
    ]
    told = f"The same sentences and prompts, said by {before['model']} before its training went on; changes are paired."
    return f"## Before and after\n\n{told}\n\n{table(header, rows)}"


def _excuses(corpus: dict) -> list[str]:
    """Why a recogniser is missing from a corpus's table, and what it heard all the same."""
    lines = []
    for name, rates in corpus["recognisers"].items():
        if not rates["understands"]:
            kind = "wer" if "wer" in rates else "cer"
            error = f"{100 * rates[kind]['recording']['mean']:.0f} %"
            line = f"{called(name)} does not understand these speakers' recordings ({kind.upper()} {error}, more than "
            line += f"{100 * UNDERSTOOD:.0f} %), so what it makes of their speech "
            ratio = rates.get(f"{kind}_ratio")
            if ratio and ratio["speech"]:
                speech = f"{with_interval(percent(rates[kind]['speech']), 1)} %"
                line += f"weighs little: {speech}, {with_interval(ratio['speech'], 2)} times the errors"
                line += f" (through the codec {with_interval(ratio['resynthesis'], 2)})."
            else:
                line += "is left out."
            lines.append(line)
    return lines


def _speed(report: dict) -> str:
    header = ["corpus", "n", "failed", "speakers closer to own, %", "x real time", "median first audio, ms"]
    everything = {"name": "all", "n": report["n"], "failed": report["failed"], **report["all"]}
    rows = [
        [
            line["name"],
            str(line["n"]),
            str(line["failed"]),
            with_interval(percent(line["closer"]), 0),
            "-" if line["x_real_time"] is None else f"{line['x_real_time']:.2f}",
            "-" if line["first_audio"] is None else f"{1000 * line['first_audio']:.0f}",
        ]
        for line in [*report["corpora"], everything]
    ]
    return "## Voice and speed\n\n" + table(header, rows)


def _failures(failures: list[dict], most: int = 20) -> list[str]:
    if not failures:
        return []
    lines = [f"- {failure['utterance']}: {failure['reason']}" for failure in failures[:most]]
    rest = [f"- and {len(failures) - most} others, in report.json"] if len(failures) > most else []
    return ["## Failed\n\n" + "\n".join(lines + rest)]


def _has(rates: dict, kind: str) -> bool:
    return kind in rates or (kind == "ratio" and any(key.endswith("_ratio") for key in rates))


def _rate(rates: dict, kind: str, version: str) -> str:
    if kind != "ratio":
        return with_interval(percent(rates[kind][version]), 1)
    ratio = rates.get("wer_ratio") or rates["cer_ratio"]
    return with_interval(ratio.get(version), 2) if version != "recording" else "1"
