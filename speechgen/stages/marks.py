"""Done-marks: what a finished stage leaves behind, so that the next run knows whether to believe it."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechgen.stages.fingerprint import FilePrint, Files

# Options that say how fast, not what: changing them makes nothing stale.
SPEED_OPTIONS = ("--nj",)


@dataclass(frozen=True)
class DoneMark:
    """One finished stage: what ran, on what, with which versions and seed, and for how long."""

    stage: str
    commands: list[list[str]]
    outputs: list[str]
    seed: int | None
    versions: dict[str, str]
    seconds: float
    finished: str  # local time, ISO 8601
    inputs: dict[str, Files] = field(default_factory=dict)


def mark_path(output: str) -> Path:
    """Where the mark of a stage lies: beside the first thing it makes, in a folder ``.done``."""
    return Path(output).parent / ".done" / f"{Path(output).name}.json"


def write_mark(path: Path, mark: DoneMark) -> None:
    """Write the mark in one stroke: a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    inputs = {
        place: {name: f"{print_.size} {print_.modified} {print_.digest}" for name, print_ in files.items()}
        for place, files in mark.inputs.items()
    }
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump({**vars(mark), "inputs": inputs}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_mark(path: Path) -> DoneMark | None:
    """The mark, or None where there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        inputs = {
            place: {name: _read_print(line) for name, line in files.items()}
            for place, files in values["inputs"].items()
        }
        return DoneMark(**{**values, "inputs": inputs})
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read_print(line: str) -> FilePrint:
    size, modified, digest = line.split(" ", 2)
    return FilePrint(int(size), int(modified), digest)


def command_change(before: Sequence[Sequence[str]], now: Sequence[Sequence[str]]) -> str | None:
    """Says how the commands of a stage differ (``"--kbps 3 is now --kbps 6"``), or None when they do not."""
    if len(before) != len(now):
        return f"it now has {len(now)} command{'s' if len(now) > 1 else ''}, not {len(before)}"
    for old, new in zip(before, now, strict=True):
        old, new = _without_speed(old), _without_speed(new)
        if old != new:
            return _difference(old, new)
    return None


def _without_speed(command: Sequence[str]) -> list[str]:
    return [
        word
        for before, word in zip(["", *command], command)
        if word not in SPEED_OPTIONS and before not in SPEED_OPTIONS
    ]


def _difference(old: list[str], new: list[str]) -> str:
    same = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    old_word, new_word = (" ".join(words[same : same + 1]) for words in (old, new))
    option = new[same - 1] + " " if same and new[same - 1].startswith("--") else ""
    if not old_word or not new_word:
        return f"its command now {'has' if new_word else 'lacks'} {option if new_word else ''}{new_word or old_word}"
    return f"its command changed: {option}{old_word} is now {option}{new_word}"
