"""Work that can be stopped and goes on: what was generated and scored so far, in JSON files beside the audio."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from speechgen.data.parallel import parallel_map
from speechgen.errors import UserError

GENERATED = "bytes.json"
SCORES = "scores.json"


class GenerationLog:
    """One folder of audio files: facts of each that is done, and why the others failed.

    ``settings`` are what the audio depends on; a folder made under others is emptied. Raises UserError for a folder
    that holds something else.
    """

    def __init__(self, folder: Path, settings: dict):
        self.folder = folder
        values = read_json(folder / GENERATED) if (folder / GENERATED).exists() else {}
        if values.get("settings") != settings:
            if not values and folder.exists() and any(folder.iterdir()):
                raise UserError(f"{folder}: holds something else; choose another --out")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            values = {"settings": settings, "utterances": {}, "failed": {}}
        self.values = values

    def audio(self, name: str) -> Path:
        """Where the audio of an utterance lies."""
        return self.folder / f"{name}.wav"

    def is_done(self, name: str, stamp: str) -> bool:
        """Whether an utterance was made from what ``stamp`` stands for, and is still there."""
        return self.values["utterances"].get(name, {}).get("stamp") == stamp and self.audio(name).exists()

    def done(self, name: str, stamp: str, facts: dict) -> None:
        """Note facts (plain values) of an utterance whose audio has been written."""
        self.values["failed"].pop(name, None)
        self.values["utterances"][name] = {**facts, "stamp": stamp}
        write_json(self.folder / GENERATED, self.values)

    def fail(self, name: str, reason: str) -> None:
        """Note that an utterance could not be made; it is tried again the next time."""
        self.values["utterances"].pop(name, None)
        self.values["failed"][name] = reason
        write_json(self.folder / GENERATED, self.values)


class Stamped(Protocol):
    """Something to score: ``stamp`` is a string that changes when it does."""

    def stamp(self) -> str: ...


Item = TypeVar("Item", bound=Stamped)


def score_items(
    folder: Path, items: dict[str, Item], work: Callable[[Item], dict | str], jobs: int, on_item: Callable[[], None]
) -> tuple[dict[str, dict], dict[str, str]]:
    """Scores by name, and why the other items have none; scores of unchanged items are taken from the folder.

    ``work`` is a function of a module that returns the scores, or a reason why there are none.
    """
    path = folder / SCORES
    stored = read_json(path) if path.exists() else {}
    stamps = {name: item.stamp() for name, item in items.items()}
    known = {name: stored[name] for name in items if stored.get(name, {}).get("stamp") == stamps[name]}
    pending = [name for name in items if name not in known]
    for _ in known:
        on_item()
    failed: dict[str, str] = {}
    for name, result in zip(pending, parallel_map(work, [items[name] for name in pending], jobs)):
        if isinstance(result, str):
            failed[name] = result
        else:
            known[name] = {"stamp": stamps[name], "scores": result}
            write_json(path, known)
        on_item()
    return {name: known[name]["scores"] for name in items if name in known}, failed


def stamp_of(*paths: Path) -> str:
    """A string that changes when one of the files does."""
    facts = []
    for path in paths:
        try:
            facts.append(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}")
        except OSError:
            facts.append(f"{path.name} missing")
    return ", ".join(facts)


def read_json(path: Path) -> dict:
    """Read a file of ours; raises UserError for a missing or damaged one."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file; run the generate stage first") from None
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise UserError(f"{path}: is damaged; delete it and run the stage again")
    return values


def write_json(path: Path, values: dict) -> None:
    """Write plain values; the file appears complete or not at all."""
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file; it appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
