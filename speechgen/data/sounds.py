"""Prepare steps for corpora of sounds without words, labelled in Kaldi files of their own: utt2pitch, utt2class."""

import csv
import hashlib
from pathlib import Path

from speechgen.data.kaldi import Utterance
from speechgen.data.splits import Splits
from speechgen.data.tables import c_order
from speechgen.errors import UserError

NO_PITCH = "none"  # what is struck, not bowed or plucked
NO_SPEECH = "zxx"  # ISO 639-2 for sound without words
NOTES = ("id", "path", "articulation", "pitch")
CLIPS = ("id", "path", "label", "fold")
TEST_FOLD, DEV_SHARE = "5", 8


def meatbass(corpus: Path) -> Splits:
    """Double-bass notes with pitch and articulation (Karoryfer Meatbass), listed in labels.tsv.

    Of the takes of a pitch and a way to play it a tenth, at least one, is in test, and as many in dev; a hash of the
    name chooses. ``arco_looped`` notes are edits of the ``arco`` ones, so both go to the same side.
    Raises UserError for a missing or unusable labels.tsv.
    """
    takes: dict[tuple[str, str], dict[str, list[Utterance]]] = {}
    for row in _rows(corpus / "labels.tsv", NOTES):
        pitch, articulation = row["pitch"] or NO_PITCH, row["articulation"]
        labels = {"utt2pitch": pitch, "utt2articulation": articulation}
        text = f"{articulation} {pitch}"
        note = Utterance(f"meatbass-{row['id']}", corpus / row["path"], text, "meatbass", NO_SPEECH, labels)
        group = takes.setdefault((articulation.removesuffix("_looped"), pitch), {})
        group.setdefault(row["id"].replace("_looped-", "-"), []).append(note)
    splits: Splits = {"train": [], "dev": [], "test": []}
    for group in takes.values():
        names = sorted(group, key=lambda name: hashlib.sha256(name.encode()).digest())
        held = max(1, len(names) // 10)
        for number, name in enumerate(names):
            split = "test" if number < held else "dev" if number < 2 * held else "train"
            splits[split] += group[name]
    if not splits["train"]:
        raise UserError(f"{corpus / 'labels.tsv'}: at least 3 takes of a note are needed, to hold some out")
    return {split: sorted(notes, key=lambda note: c_order(note.id)) for split, notes in splits.items()}


def esc10(corpus: Path) -> Splits:
    """Environmental sounds of ten classes (ESC-10, Piczak 2015), listed in labels.tsv.

    Test is the last of the five folds, which share no recording. Of the others' recordings an eighth is dev; a hash of
    the recording's name chooses, so that no recording (``1-172649-A``, ``-B`` ...) is on both sides.
    Raises UserError for a missing or unusable labels.tsv.
    """
    splits: Splits = {"train": [], "dev": [], "test": []}
    for row in _rows(corpus / "labels.tsv", CLIPS):
        labels = {"utt2class": row["label"]}
        clip = Utterance(f"esc10-{row['id']}", corpus / row["path"], row["label"], "esc10", NO_SPEECH, labels)
        chosen = int(hashlib.sha256(row["id"].rsplit("-", 1)[0].encode()).hexdigest(), 16) % DEV_SHARE == 0
        splits["test" if row["fold"] == TEST_FOLD else "dev" if chosen else "train"].append(clip)
    return {split: sorted(clips, key=lambda clip: c_order(clip.id)) for split, clips in splits.items()}


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the folder that holds labels.tsv and audio/") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text") from None
    if not rows or any(row.get(column) is None for row in rows for column in columns):
        raise UserError(f"{path}: expected tab-separated columns {', '.join(columns)} and a line a sound")
    return rows
