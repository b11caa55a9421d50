"""The hard list: 300 lines on which synthesis likes to fail, said and judged by the guard, before and after retries.

Layout: DIR/<number>.wav is what was kept of a line, DIR/hard-list.json what became of each and the shares of failures.
"""

import csv
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import torch

from speechgen.audio.files import read_audio, write_audio
from speechgen.audio.resample import resample
from speechgen.errors import UserError
from speechgen.evaluation.broken import broken_copies
from speechgen.evaluation.logs import read_json, write_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.recordings import spread
from speechgen.evaluation.results import page, table, with_interval
from speechgen.evaluation.statistics import share_estimate
from speechgen.models.lines import Drawing
from speechgen.models.load import fingerprint
from speechgen.models.match import match
from speechgen.models.voice import Voice
from speechgen.serving.guard import Guard
from speechgen.serving.spoken import Spoken
from speechgen.serving.synthesiser import Synthesiser
from speechgen.text.spelling import spell_with_rests

REPORT = "hard-list.json"
NOTES = (
    "A line has failed when the guard rejects one of its chunks: before, in the first try; after, in the best of all "
    "tries. The guard is the judge of both, so that faults which it does not hear are not counted: see how many of the "
    "broken copies it catches, and docs/speaking.md.",
    "Broken copies: chunks that passed, broken on purpose. Intervals: 95 %, Wilson.",
)


@dataclass(frozen=True)
class HardLine:
    """A line of the list: its number as a name, what is hard about it, its language, its text."""

    name: str
    kind: str
    language: str
    text: str


def read_hard_list(limit: int | None = None) -> list[HardLine]:
    """The list, or ``limit`` of its lines at equal distances, so that every kind is there."""
    file = resources.files("speechgen.evaluation") / "hard_list.tsv"
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    lines = [HardLine(f"{number:03}", row["kind"], row["language"], row["text"]) for number, row in enumerate(rows, 1)]
    return list(spread({line.name: line for line in lines}, limit).values())


def say_hard_list(
    synthesiser: Synthesiser,
    voice: Voice | None,
    lines: list[HardLine],
    out: str | Path,
    guard: Guard,
    drawing: Drawing = Drawing(),
    seed: int = 0,
    facts: dict | None = None,
    on_line: Callable[[], None] = lambda: None,
) -> dict:
    """Say each of one or more lines with the guard, and write and return DIR/hard-list.json; what is there is kept.

    Raises UserError for a folder that holds something else, or the list said otherwise.
    """
    out = Path(out)
    settings = {
        "tts": fingerprint(synthesiser.tts),
        "codec": fingerprint(synthesiser.codec),
        "listener": fingerprint(synthesiser.listener),
        "voice": None if voice is None else voice.digest().hex(),
        "drawing": asdict(drawing),
        "seed": seed,
        "retries": guard.retries,
        "limits": asdict(guard.limits),
    }
    done = _known(out, settings)
    said: dict[str, dict] = {}
    other: Path | None = None
    for line in lines:
        entry = done.get(line.name)
        if entry is None or entry["text"] != line.text or ("chunks" in entry and not _wav(out, line).exists()):
            entry = asdict(line) | _say(synthesiser, voice, line, out, guard, drawing, seed, other)
        other = _wav(out, line) if "chunks" in entry else other
        done[line.name] = said[line.name] = entry
        report = {
            "settings": settings,
            "facts": facts or {},
            "machine": describe_machine(),
            **summary(list(said.values())),  # so that a run that is stopped has counted what it said
            "lines": done,
        }
        write_json(out / REPORT, report)
        on_line()
    return report


def summary(said: list[dict]) -> dict:
    """Shares of lines that failed, by kind and in all, and of broken copies that were caught."""
    kinds = list(dict.fromkeys(entry["kind"] for entry in said))
    groups = {kind: [entry for entry in said if entry["kind"] == kind] for kind in kinds} | {"all": said}
    caught: dict[str, list[bool]] = defaultdict(list)
    for entry in said:
        for name, noticed in entry.get("broken", []):
            caught[name].append(noticed)
    return {
        "failures": {
            name: {"n": len(entries), "before": _share(entries, "first_reasons"), "after": _share(entries, "reasons")}
            for name, entries in groups.items()
        },
        "tries": sum(chunk["tries"] for entry in said for chunk in entry.get("chunks", [])),
        "chunks": sum(len(entry.get("chunks", [])) for entry in said),
        "caught": {
            name: {"n": len(noticed), "share": share_estimate(sum(noticed), len(noticed)).to_json()}
            for name, noticed in caught.items()
        },
    }


def write_hard_list_results(path: str | Path, report: dict) -> None:
    """Write a report as a page of Markdown; the file appears complete or not at all."""
    rows = [
        [name, str(line["n"]), *(with_interval(_percent(line[when]), 1) for when in ("before", "after"))]
        for name, line in report["failures"].items()
    ]
    parts = ["## Failures\n\n" + table(["lines", "n", "before the guard, %", "after, %"], rows)]
    if report["caught"]:
        caught = [
            [name, str(line["n"]), with_interval(_percent(line["share"]), 1)] for name, line in report["caught"].items()
        ]
        parts.append("## Broken copies\n\n" + table(["broken by", "n", "caught, %"], caught))
    left = [f"- {entry['name']} ({entry['kind']}): {_why(entry)}" for entry in report["lines"].values() if _why(entry)]
    if left:
        parts.append("## Failed after the guard\n\n" + "\n".join(left))
    facts = {
        "lines": f"{report['failures']['all']['n']} of {len(read_hard_list())}, in {report['chunks']} chunks, "
        f"{report['tries']} tries",
        **report["facts"],
        "said on": report["machine"],
    }
    write_text(Path(path), page("Hard list", "speechgen tts hard-list", facts, parts, ["\n\n".join(NOTES)]))


def _say(
    synthesiser: Synthesiser,
    voice: Voice | None,
    line: HardLine,
    out: Path,
    guard: Guard,
    drawing: Drawing,
    seed: int,
    other: Path | None,
) -> dict:
    """What became of a line: its chunks with what the guard found, or why it could not be said."""
    own_seed = zlib.crc32(f"{seed} {line.name}".encode())
    try:
        spoken = synthesiser.say(line.text, voice, line.language, drawing, own_seed, guard=guard)
    except UserError as error:
        return {"failed": str(error)}
    write_audio(_wav(out, line), spoken.wave, spoken.sample_rate)
    return {
        "seed": own_seed,
        "x_real_time": round(spoken.x_real_time, 3),
        "chunks": [asdict(check) for check in spoken.takes[0].checks],
        "broken": _broken(synthesiser, spoken, line.language, guard, drawing.speed, own_seed, other),
    }


def _broken(
    synthesiser: Synthesiser, spoken: Spoken, language: str, guard: Guard, speed: float, seed: int, other: Path | None
) -> list[tuple[str, bool]]:
    """For each broken copy of the line's first chunk, if that passed: how it was broken, and if the guard noticed.

    ``other`` is the line before, whose speech is what does not belong here.
    """
    take, rate = spoken.takes[0], synthesiser.sample_rate
    if other is None or not guard.phonemes or take.checks[0].reasons:
        return []
    span = take.spans[0]
    wave = take.wave[round(span.start * rate) : round(span.end * rate)]
    symbols = spell_with_rests([span.text], language, synthesiser.tts.config.text)[0][0]
    found = match(synthesiser.listener, resample(wave, rate, synthesiser.listener.config.sample_rate), symbols)
    if found is None or not found.words:
        return []
    words = [(word.start, word.end) for word in found.words]
    generator = torch.Generator().manual_seed(seed)
    foreign = read_audio(other, rate)[0]
    foreign = foreign.repeat(-(-len(wave) // len(foreign)))[: len(wave)]  # its length gives nothing away
    copies = broken_copies(wave, rate, words, foreign, generator)
    return [(name, not guard.check(copy, symbols, speed).passed) for name, copy in copies.items()]


def _known(out: Path, settings: dict) -> dict[str, dict]:
    """Lines that were said under the same settings."""
    if (out / REPORT).exists():
        report = read_json(out / REPORT)
        if report.get("settings") != settings:
            raise UserError(f"{out}: holds the list said otherwise; choose another --out, or delete it")
        return report["lines"]
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out}: holds something else; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    return {}


def _wav(out: Path, line: HardLine) -> Path:
    return out / f"{line.name}.wav"


def _share(entries: list[dict], key: str) -> dict:
    failed = [entry for entry in entries if "failed" in entry or any(chunk[key] for chunk in entry["chunks"])]
    return share_estimate(len(failed), len(entries)).to_json()


def _why(entry: dict) -> str:
    if "failed" in entry:
        return entry["failed"]
    return "; ".join(reason for chunk in entry["chunks"] for reason in chunk["reasons"])


def _percent(values: dict) -> dict:
    return {"mean": 100 * values["mean"], "ci95": [100 * bound for bound in values["ci95"]]}
