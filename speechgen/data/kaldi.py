"""Kaldi data directories: wav.scp, text, utt2spk and their optional neighbours, in and out."""

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from speechgen.data.folders import new_folder
from speechgen.data.tables import Table, c_order, scan_table, write_table
from speechgen.errors import UserError

REQUIRED = ("wav.scp", "text", "utt2spk")
# Files whose values follow from the others; written anew or left out, never carried along.
DERIVED = ("utt2spk", "spk2utt", "utt2lang", "utt2dur", "utt2num_frames")


@dataclass(frozen=True)
class Segment:
    """A stretch of a longer recording, in seconds."""

    recording: str
    start: float
    end: float


@dataclass(frozen=True)
class Utterance:
    """One stretch of speech by one speaker, with its text.

    ``extras`` holds further facts by the name of their Kaldi file: {"spk2gender": "f", "utt2score": "7.9"}.
    ``segment`` is set when the file is longer than the utterance. ``pipe`` is a shell command that prints the
    audio, kept only from directories whose pipes the user trusts; ``path`` is then the command's name only.
    """

    id: str
    path: Path
    text: str
    speaker: str
    language: str
    extras: dict[str, str] = field(default_factory=dict)
    segment: Segment | None = None
    pipe: str = ""


@dataclass(frozen=True)
class DataDir:
    """Utterances sorted by id; ``root`` is the folder that relative paths of wav.scp start from."""

    utterances: list[Utterance]
    root: Path

    @classmethod
    def read(
        cls,
        directory: str | Path,
        corpus: str | Path | None = None,
        language: str = "en",
        trust_pipes: bool = False,
    ) -> "DataDir":
        """Read a sound Kaldi data directory; raises UserError for the first utterance that cannot be used.

        Relative paths in wav.scp start from ``corpus``, or from the folder above ``directory``. Without a file
        ``utt2lang`` every utterance is in ``language``.
        """
        data_dir, bad, _ = scan(directory, corpus, language, trust_pipes)
        for utterance, reason in bad.items():
            raise UserError(f"{directory}: {utterance} {reason}; run 'speechgen data check {directory}'")
        return data_dir

    def write(self, directory: str | Path) -> None:
        """Write the files that Kaldi wants, sorted in the C locale; the folder appears complete or not at all.

        Recordings below the folder above ``directory`` are named relative to it, others by their full path.
        """
        root = _absolute(directory).parent
        tables: dict[str, dict[str, str]] = defaultdict(dict, {name: {} for name in REQUIRED})
        members: dict[str, list[str]] = defaultdict(list)
        for utterance in self.utterances:
            tables["text"][utterance.id] = utterance.text
            tables["utt2spk"][utterance.id] = utterance.speaker
            tables["utt2lang"][utterance.id] = utterance.language
            members[utterance.speaker].append(utterance.id)
            segment = utterance.segment
            tables["wav.scp"][segment.recording if segment else utterance.id] = _location(utterance, root)
            if segment:
                tables["segments"][utterance.id] = f"{segment.recording} {segment.start:g} {segment.end:g}"
            for name, value in utterance.extras.items():
                tables[name][utterance.speaker if name.startswith("spk2") else utterance.id] = value
        if "segments" in tables and len(tables["segments"]) < len(self.utterances):
            raise UserError(f"{directory}: some utterances are segments and some whole files; write two directories")
        tables["spk2utt"] = {speaker: " ".join(sorted(ids, key=c_order)) for speaker, ids in members.items()}
        with new_folder(directory) as temporary:
            for name, table in tables.items():
                write_table(temporary / name, table)


def combine(directories: list[DataDir], out: str | Path) -> DataDir:
    """Write ``out`` with the utterances of all; raises UserError when an utterance is in two of them."""
    joined: dict[str, Utterance] = {}
    for utterance in (one for directory in directories for one in directory.utterances):
        if utterance.id in joined:
            raise UserError(f"{out}: utterance {utterance.id} is in two of the directories; leave one of them out")
        joined[utterance.id] = utterance
    together = DataDir(sorted(joined.values(), key=lambda one: c_order(one.id)), _absolute(out).parent)
    together.write(out)
    return together


def scan(
    directory: str | Path,
    corpus: str | Path | None = None,
    language: str = "en",
    trust_pipes: bool = False,
) -> tuple[DataDir, dict[str, str], dict[str, Table]]:
    """Read what can be used of a data directory: (the sound part, why each other utterance is bad, the files).

    Looks at the text files only, not at the audio. Raises UserError when a required file is missing.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"{directory}: no such folder; name a Kaldi data directory (with wav.scp, text, utt2spk)")
    root = Path(corpus) if corpus is not None else _absolute(directory).parent
    files = {name: scan_table(directory / name) for name in REQUIRED}
    for path in sorted(directory.iterdir()):
        if path.name == "segments" or (path.name.startswith(("spk2", "utt2")) and path.name != "utt2spk"):
            files[path.name] = scan_table(path)
    utterances, bad = [], {}
    for id in sorted(_ids(files), key=c_order):
        reason = _why_bad(id, files, trust_pipes)
        if reason:
            bad[id] = reason
        else:
            utterances.append(_utterance(id, files, root, language))
    return DataDir(utterances, root), bad, files


def _ids(files: dict[str, Table]) -> set[str]:
    names = ["segments" if "segments" in files else "wav.scp", "text", "utt2spk"]
    return {id for name in names for id in files[name].values}


def _why_bad(id: str, files: dict[str, Table], trust_pipes: bool) -> str:
    """Why an utterance cannot be used, or an empty string."""
    for name in ("segments", "text", "utt2spk", "utt2lang"):
        if name in files:
            if id in files[name].bad:
                return files[name].bad[id]
            if id not in files[name].values:
                return f"is missing from {name}"
            if not files[name].values[id]:
                return "has no text" if name == "text" else f"has no value in {name}"
    if len(files["utt2spk"].values[id].split()) > 1:
        return f"names more than one speaker in utt2spk: {files['utt2spk'].values[id]!r}"
    recording = id
    if "segments" in files:
        try:
            recording, start, end = files["segments"].values[id].split()
            sound = 0 <= float(start) < float(end) < float("inf")
        except ValueError:
            sound = False
        if not sound:
            return f"has no 'recording start end' in segments: {files['segments'].values[id]!r}"
    if recording in files["wav.scp"].bad:
        return files["wav.scp"].bad[recording]
    location = files["wav.scp"].values.get(recording, "")
    if not location:
        return f"is missing from wav.scp (recording {recording})" if recording != id else "is missing from wav.scp"
    if location.endswith("|") and not trust_pipes:
        return f"runs a command ({location[:40]!r}); run it yourself, or give --trust_pipes"
    return ""


def _utterance(id: str, files: dict[str, Table], root: Path, language: str) -> Utterance:
    speaker = files["utt2spk"].values[id]
    extras = {}
    for name, table in files.items():
        key = speaker if name.startswith("spk2") else id
        if name not in DERIVED + REQUIRED + ("segments",) and key in table.values:
            extras[name] = table.values[key]
    segment, recording = None, id
    if "segments" in files:
        recording, start, end = files["segments"].values[id].split()
        segment = Segment(recording, float(start), float(end))
    location = files["wav.scp"].values[recording]
    pipe = location.removesuffix("|").strip() if location.endswith("|") else ""
    languages = files["utt2lang"].values if "utt2lang" in files else {}
    path = Path(recording) if pipe else root / location
    return Utterance(id, path, files["text"].values[id], speaker, languages.get(id, language), extras, segment, pipe)


def _location(utterance: Utterance, root: Path) -> str:
    if utterance.pipe:
        return f"{utterance.pipe} |"
    path = _absolute(utterance.path)
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _absolute(path: str | Path) -> Path:
    """A full path that keeps symbolic links, since corpora are often linked into place."""
    return Path(os.path.abspath(path))
