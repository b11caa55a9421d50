"""Texts of a folder of recordings in one table, as most people keep them: a csv or tsv with a row for each file."""

import csv
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from speechgen.errors import UserError

TRANSCRIPTS = "transcripts.tsv"
COLUMNS = {
    "file": ("file", "path", "wav", "audio", "filename", "file_name", "audio_file", "id"),
    "text": ("text", "transcript", "transcription", "sentence", "normalized_text"),
    "speaker": ("speaker", "speaker_id", "spk", "client_id"),
    "language": ("language", "lang", "locale"),
}


@dataclass(frozen=True)
class Row:
    """What a table says of one recording; an empty ``speaker`` or ``language`` is not said."""

    text: str
    speaker: str = ""
    language: str = ""


def find_table(corpus: Path) -> Path | None:
    """The one csv or tsv right in a folder; ``transcripts.tsv`` before others. Raises UserError for several others."""
    if (corpus / TRANSCRIPTS).exists():
        return corpus / TRANSCRIPTS
    found = sorted(path for path in corpus.iterdir() if path.suffix.lower() in (".csv", ".tsv") and path.is_file())
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(f"--corpus {corpus}: holds several tables ({names}); call the one with the texts {TRANSCRIPTS}")
    return found[0] if found else None


def read_transcripts(path: Path) -> dict[str, Row]:
    """Rows by the file that they name, as they name it.

    Commas, tabs, semicolons or bars divide; a first line that names the columns is understood (``file`` and ``text``,
    maybe ``speaker`` and ``language``; CommonVoice's and others' words for them, too), without one they are file and
    text, as in LJSpeech. Raises UserError for a table that cannot be understood.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; convert it with iconv") from None
    lines = content.splitlines()
    first = next((line for line in lines if line.strip()), "")
    divider = max("\t|;,", key=lambda mark: (first.count(mark) > 0, mark == "\t", mark == "|", first.count(mark)))
    quoting = csv.QUOTE_MINIMAL if divider in ",;" else csv.QUOTE_NONE  # texts in tsv and LJSpeech hold bare quotes
    reader = csv.reader(io.StringIO(content), delimiter=divider, quoting=quoting)
    table = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    if not table:
        raise UserError(f"{path}: is empty; give it a line 'file{divider}text' and a row for each recording")
    header = [cell.lower() for cell in table[0][1]]
    columns = {key: header.index(name) for key, names in COLUMNS.items() for name in reversed(names) if name in header}
    if "text" in columns and "file" in columns:
        table = table[1:]
    elif len(header) > 1 and not columns:
        columns = {"file": 0, "text": len(header) - 1}
    else:
        raise UserError(f"{path}: its first line names no columns 'file' and 'text'; begin it with 'file{divider}text'")
    rows: dict[str, Row] = {}
    for number, cells in table:
        said = {key: " ".join(cells[place].split()) for key, place in columns.items() if place < len(cells)}
        name = said.pop("file", "")
        if not name or "text" not in said:
            raise UserError(f"{path}, line {number}: {len(cells)} cells, and file and text are needed")
        if name in rows:
            raise UserError(f"{path}, line {number}: {name} is there twice; keep one of the rows")
        rows[name] = Row(**said)
    return rows


def match(rows: dict[str, Row], corpus: Path, paths: Iterable[Path]) -> tuple[dict[Path, Row], list[str]]:
    """The row of each recording, and the names for which there is none.

    A row may name a file by its path below ``corpus`` or by its name alone, with or without its ending.
    """
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        inner = path.relative_to(corpus)
        for name in {inner.as_posix(), inner.with_suffix("").as_posix(), path.name, path.stem}:
            by_name.setdefault(name, []).append(path)
    found: dict[Path, Row] = {}
    missing = []
    for name, row in rows.items():
        paths_of = by_name.get(name.removeprefix("./"), [])
        if len(paths_of) > 1:
            raise UserError(f"--corpus {corpus}: {name!r} is {paths_of[0]} and {paths_of[1]}; give its folder, too")
        if paths_of:
            found[paths_of[0]] = row
        else:
            missing.append(name)
    return found, missing


def write_transcripts(corpus: Path, paths: Iterable[Path], hear: Callable[[Path], str] = lambda path: "") -> list[int]:
    """Write ``corpus``/transcripts.tsv with a row for each recording; [new rows, rows still without a text].

    What is there stays as it is; ``hear`` drafts the text where there is none.
    """
    path = corpus / TRANSCRIPTS
    paths = list(paths)
    known, missing = match(read_transcripts(path) if path.exists() else {}, corpus, paths)
    if missing:
        raise UserError(f"{path}: names {missing[0]}, and there is no such recording; mend or delete that row")
    rows = {one: known.get(one, Row("")) for one in paths}
    rows = {one: row if row.text else Row(hear(one), row.speaker, row.language) for one, row in rows.items()}
    keys = ["text", *(key for key in ("speaker", "language") if any(getattr(row, key) for row in rows.values()))]
    lines = ["\t".join(["file", *keys])]
    for one, row in rows.items():
        lines.append("\t".join([one.relative_to(corpus).as_posix(), *(getattr(row, key) for key in keys)]))
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return [len(rows) - len(known), sum(not row.text for row in rows.values())]
