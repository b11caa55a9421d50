"""The text files of a Kaldi data directory: one line for each key, sorted in the C locale."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from speechgen.errors import UserError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass
class Table:
    """What a file holds, and what is wrong with it.

    ``values`` has every key that occurs. ``bad`` tells why a key cannot be used. ``untidy`` are sentences on
    the file as a whole which hinder no reading here but which Kaldi refuses; writing it anew repairs them.
    """

    path: Path
    values: dict[str, str] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    untidy: list[str] = field(default_factory=list)


def scan_table(path: str | Path) -> Table:
    """Read lines "key value with spaces" and gather every fault; raises UserError when there is no such file."""
    table = Table(Path(path))
    content = _content(table.path)
    if content.startswith(BYTE_ORDER_MARK):
        table.untidy.append("begins with a byte order mark")
        content = content.removeprefix(BYTE_ORDER_MARK)
    lines = content.split(b"\n")
    if lines.pop():
        table.untidy.append("does not end with a newline")
        lines = content.split(b"\n")
    if any(line.endswith(b"\r") for line in lines):
        table.untidy.append("has Windows line ends (CRLF)")
        lines = [line.removesuffix(b"\r") for line in lines]
    keys = [key for key in (_add_line(table, line) for line in lines) if key is not None]
    if len(keys) < len(lines):
        table.untidy.append("has empty lines")
    for before, after in zip(keys, keys[1:]):
        if c_order(after) < c_order(before):
            table.untidy.append(f"is not sorted in the C locale: {after} comes after {before}")
            break
    return table


def read_table(path: str | Path) -> dict[str, str]:
    """Read lines "key value with spaces"; raises UserError for a missing file or the first unusable line."""
    table = scan_table(path)
    for key, reason in table.bad.items():
        raise UserError(f"{path}: {key} {reason}; run 'speechgen data check'")
    return table.values


def write_table(path: str | Path, table: dict[str, str]) -> None:
    """Write keys and values sorted in the C locale."""
    lines = [f"{key} {table[key]}".rstrip() + "\n" for key in sorted(table, key=c_order)]
    Path(path).write_text("".join(lines), encoding="utf-8", newline="\n")


def c_order(key: str) -> bytes:
    """The order of LC_ALL=C sort: by bytes."""
    return key.encode("utf-8")


def control_characters(text: str) -> Iterator[str]:
    """Names (U+0007) of the control characters and of the white space other than a plain space in a text."""
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs") or character == "\ufeff" or (character.isspace() and character != " "):
            yield f"U+{ord(character):04X}"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a Kaldi data directory holds wav.scp, text and utt2spk") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _add_line(table: Table, raw: bytes) -> str | None:
    """Take one line into the table; returns its key, or None for an empty line."""
    line = raw.decode("utf-8", errors="replace")
    # Kaldi separates by ASCII blanks only; str.split() would also split at a no-break space.
    key, *rest = re.split(r"[ \t]+", line.strip(" \t"), maxsplit=1)
    if not key:
        return None
    value = rest[0] if rest else ""
    if key in table.values:
        table.bad[key] = f"is given twice in {table.path.name}"
    elif "\ufffd" in line and "\ufffd".encode() not in raw:
        table.bad[key] = f"is not UTF-8 in {table.path.name}"
    elif name := next(control_characters(key + value.replace("\t", " ")), None):
        table.bad[key] = f"holds {name}, a control character or unusual white space, in {table.path.name}"
    table.values.setdefault(key, value)
    return key
