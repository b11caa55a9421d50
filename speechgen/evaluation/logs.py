"""Work that can be stopped and goes on: what was generated and scored so far, in JSON files beside the audio."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from speechgen.errors import UserError
from speechgen.evaluation.workers import Broken, Workers

GENERATED = "bytes.json"
SCORES = "scores.jsonl"


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
        self.values = {"costs": None, "generations": {}, **values}

    def audio(self, name: str) -> Path:
        """Where the audio of an utterance lies."""
        return self.folder / f"{name}.wav"

    def codes(self, name: str) -> Path:
        """Where the codes of an utterance lie, of a system that has codes."""
        return self.folder / f"{name}.npy"

    def is_done(self, name: str, stamp: str) -> bool:
        """Whether an utterance was made from what ``stamp`` stands for, and is still there."""
        return self.values["utterances"].get(name, {}).get("stamp") == stamp and self.audio(name).exists()

    def done(self, name: str, stamp: str, facts: dict) -> None:
        """Note facts (plain values) of an utterance whose audio has been written."""
        self.values["failed"].pop(name, None)
        self.values["utterances"][name] = {**facts, "stamp": stamp}
        write_json(self.folder / GENERATED, self.values)

    def note(self, key: str, value: object) -> None:
        """Note something about the system as a whole."""
        self.values[key] = value
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
    folder: Path,
    items: dict[str, Item],
    work: Callable[[Item], dict | str],
    jobs: int,
    on_item: Callable[[], None],
    time_limit: float | None = None,
    prepare: Callable[[Item], None] | None = None,
) -> tuple[dict[str, dict], dict[str, str]]:
    """Scores by name, and why the other items have none; scores of unchanged items are taken from the folder.

    ``work`` is a function of a module that returns the scores, or a reason why there are none. An item that takes
    longer than ``time_limit`` seconds is given up, and not tried again in no more time; that of
    ``prepare`` does not count. Each result is on disk as soon as it is there.
    """
    stamps = {name: item.stamp() for name, item in items.items()}
    log = ScoreLog(folder / SCORES)
    known, failed = {}, {}
    for name, stamp in stamps.items():
        line = log.lines.get(name, {})
        if line.get("stamp") != stamp:
            continue
        if "scores" in line:
            known[name] = line["scores"]
        elif time_limit is not None and line["limit"] >= time_limit:
            failed[name] = line["failed"]
    pending = {name: item for name, item in items.items() if name not in known and name not in failed}
    for _ in range(len(items) - len(pending)):
        on_item()
    with log, Workers(work, jobs, time_limit, prepare) as workers:
        for name, result in workers.run(pending):
            if isinstance(result, Broken):
                failed[name] = result.reason
                if result.limit is not None:
                    log.add(name, {"stamp": stamps[name], "failed": result.reason, "limit": result.limit})
            elif isinstance(result, str):
                failed[name] = result
            else:
                known[name] = result
                log.add(name, {"stamp": stamps[name], "scores": result})
            on_item()
    return tuple({name: found[name] for name in items if name in found} for found in (known, failed))


class ScoreLog:
    """A file of one JSON line for each item; the last of a name counts. One that a kill cut short is left out."""

    def __init__(self, path: Path):
        self.path = path
        self.lines: dict[str, dict] = {}
        written = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        for text in written:
            try:
                line = json.loads(text)
                self.lines[line.pop("name")] = line
            except (ValueError, KeyError, AttributeError):
                continue
        if len(self.lines) < len(written):
            write_text(path, "".join(self._line(name, line) for name, line in self.lines.items()))

    def __enter__(self) -> "ScoreLog":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, name: str, line: dict) -> None:
        """Write a line and hand it to the system at once."""
        self.file.write(self._line(name, line))
        self.file.flush()

    def _line(self, name: str, line: dict) -> str:
        return json.dumps({"name": name, **line}, ensure_ascii=False, allow_nan=False) + "\n"


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
