"""Kaldi data directories: wav.scp, text, utt2spk and their optional neighbours, in and out."""

import os
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from speechgen.errors import UserError

REQUIRED = ("wav.scp", "text", "utt2spk")
# Files whose values follow from the others; written anew or left out, never carried along.
DERIVED = ("utt2spk", "spk2utt", "utt2lang", "utt2dur", "utt2num_frames")


@dataclass(frozen=True)
class Utterance:
    """One recording of one speaker with its text. ``extras`` holds further facts by the name of their Kaldi
    file: {"spk2gender": "f", "utt2score": "7.9"}."""

    id: str
    path: Path
    text: str
    speaker: str
    language: str
    extras: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataDir:
    """Utterances sorted by id; ``root`` is the folder that relative paths of wav.scp start from."""

    utterances: list[Utterance]
    root: Path

    @classmethod
    def read(cls, directory: str | Path, corpus: str | Path | None = None, language: str = "en") -> "DataDir":
        """Read a Kaldi data directory that is already sound; ``speechgen data check`` explains one that is not.

        Relative paths in wav.scp start from ``corpus``, or from the folder above ``directory``. Without a file
        ``utt2lang`` every utterance is in ``language``. Raises UserError for the first fault found.
        """
        directory = Path(directory)
        root = Path(corpus) if corpus is not None else directory.resolve().parent
        paths, texts, speakers = (read_table(directory / name) for name in REQUIRED)
        languages = read_table(directory / "utt2lang") if (directory / "utt2lang").exists() else {}
        for name, table in (("text", texts), ("utt2spk", speakers), ("utt2lang", languages or paths)):
            for utterance in paths.keys() ^ table.keys():
                here, there = (name, "wav.scp") if utterance in paths else ("wav.scp", name)
                raise UserError(f"{directory}: {utterance} is in {there} but not in {here}; run 'speechgen data check'")
        extras = _read_extras(directory, speakers)
        utterances = [
            Utterance(id, root / paths[id], texts[id], speakers[id], languages.get(id, language), extras[id])
            for id in sorted(paths, key=_c_order)
        ]
        return cls(utterances, root)

    def write(self, directory: str | Path) -> None:
        """Write the files that Kaldi wants, sorted in the C locale; the folder appears complete or not at all.

        Recordings below the folder above ``directory`` are named relative to it, others by their full path.
        """
        directory = Path(directory)
        root = directory.resolve().parent
        root.mkdir(parents=True, exist_ok=True)
        tables: dict[str, dict[str, str]] = defaultdict(dict)
        members: dict[str, list[str]] = defaultdict(list)
        for utterance in self.utterances:
            path = utterance.path.resolve()
            tables["wav.scp"][utterance.id] = str(path.relative_to(root) if path.is_relative_to(root) else path)
            tables["text"][utterance.id] = utterance.text
            tables["utt2spk"][utterance.id] = utterance.speaker
            tables["utt2lang"][utterance.id] = utterance.language
            members[utterance.speaker].append(utterance.id)
            for name, value in utterance.extras.items():
                tables[name][utterance.speaker if name.startswith("spk2") else utterance.id] = value
        tables["spk2utt"] = {speaker: " ".join(sorted(ids, key=_c_order)) for speaker, ids in members.items()}
        with tempfile.TemporaryDirectory(dir=root, prefix=f".{directory.name}.") as temporary:
            for name, table in tables.items():
                write_table(Path(temporary) / name, table)
            _take_place(Path(temporary), directory)


def read_table(path: Path) -> dict[str, str]:
    """Read lines "key value with spaces"; raises UserError for a missing file, a bad line or a key given twice."""
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a Kaldi data directory holds {', '.join(REQUIRED)}") from None
    except (NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; convert it with iconv") from None
    table: dict[str, str] = {}
    for number, line in enumerate(content.split("\n"), start=1):
        key, *value = line.rstrip("\r").split(maxsplit=1)[:2] if line.strip() else ("",)
        if not key:
            continue
        if key in table:
            raise UserError(f"{path}:{number}: {key} is given twice; ids must be unique")
        table[key] = value[0].strip() if value else ""
    return table


def write_table(path: Path, table: dict[str, str]) -> None:
    """Write a table of keys and values sorted in the C locale."""
    lines = [f"{key} {table[key]}".rstrip() for key in sorted(table, key=_c_order)]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")


def _read_extras(directory: Path, speakers: dict[str, str]) -> dict[str, dict[str, str]]:
    """Values of further spk2... and utt2... files, by utterance and file name."""
    extras: dict[str, dict[str, str]] = {utterance: {} for utterance in speakers}
    for path in sorted(directory.iterdir()):
        if not path.name.startswith(("spk2", "utt2")) or path.name in DERIVED:
            continue
        table = read_table(path)
        for utterance, speaker in speakers.items():
            key = speaker if path.name.startswith("spk2") else utterance
            if key in table:
                extras[utterance][path.name] = table[key]
    return extras


def _take_place(temporary: Path, directory: Path) -> None:
    """Put a finished folder where an older one may lie."""
    os.chmod(temporary, 0o755)
    if directory.exists():
        old = temporary.with_name(temporary.name + ".old")
        os.replace(directory, old)
        os.replace(temporary, directory)
        shutil.rmtree(old)
    else:
        os.replace(temporary, directory)
    temporary.mkdir(exist_ok=True)  # for the context manager that made it to remove


def _c_order(key: str) -> bytes:
    return key.encode("utf-8")
