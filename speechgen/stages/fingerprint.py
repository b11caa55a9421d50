"""What a stage reads, boiled down to something that changes when the content does."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PIECE = 256 * 1024  # bytes


class FilePrint(NamedTuple):
    """One file: its size in bytes, when it was modified (nanoseconds) and a digest of its content."""

    size: int
    modified: int
    digest: str


Files = dict[str, FilePrint]


def fingerprint(path: Path, known: Files | None = None, leave_out: tuple[Path, ...] = ()) -> Files:
    """The prints of a file (under the name ".") or of every file below a folder.

    Names that begin with a dot are passed over, and so is everything at or below ``leave_out``. A file whose size
    and time of modification are those in ``known`` is not read again. Raises FileNotFoundError when path is missing.
    """
    known = known or {}
    if not path.is_dir():
        return {".": _print_file(path, known.get("."))}
    skipped = {os.path.realpath(place) for place in leave_out}
    return {
        str(file.relative_to(path)): _print_file(file, known.get(str(file.relative_to(path))))
        for file in sorted(_walk(path, skipped))
    }


def first_change(before: Files, now: Files) -> str | None:
    """Names the first file whose content differs: ``"text changed"``, ``"text is new"``, or None."""
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            return f"{name} is new"
        if name not in now:
            return f"{name} is gone"
        if before[name].digest != now[name].digest:
            return f"{name} changed"
    return None


def _walk(folder: Path, skipped: set[str]) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.name.startswith(".") or os.path.realpath(entry.path) in skipped:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), skipped)
        else:
            yield Path(entry.path)


def _print_file(path: Path, known: FilePrint | None) -> FilePrint:
    if path.is_symlink() and not path.is_file():  # dangling, or a folder elsewhere
        return FilePrint(0, 0, f"-> {os.readlink(path)}")
    facts = path.stat()
    if known and (known.size, known.modified) == (facts.st_size, facts.st_mtime_ns):
        return known
    return FilePrint(facts.st_size, facts.st_mtime_ns, _digest(path, facts.st_size))


def _digest(path: Path, size: int) -> str:
    """Small files are read whole. Of large ones the size and four pieces do: a corpus must not be read twice."""
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with open(path, "rb") as file:
        if size <= 4 * PIECE:
            digest.update(file.read())
        else:
            for quarter in range(4):
                file.seek(quarter * (size - PIECE) // 3)
                digest.update(file.read(PIECE))
    return digest.hexdigest()
