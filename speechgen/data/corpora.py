"""Prepare steps: how each known corpus becomes data directories train, dev and test."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.own import folder, kaldi, recordings
from speechgen.data.sounds import esc10, meatbass
from speechgen.data.splits import Splits, hold_out
from speechgen.errors import UserError, nearest


def prepare(name: str, corpus: str | Path, out: str | Path, language: str = "en") -> dict[str, DataDir]:
    """Write ``out``/train, dev and test for a known corpus lying in the folder ``corpus``; returns them by name.

    ``starter`` joins speechocean762, kathleen and kerstin, which lie side by side in ``corpus``, and ``sounds`` these
    and esc10 and meatbass. ``kaldi``,
    ``folder`` and ``recordings`` take a corpus of the user's own, in ``language`` where it does not say.
    Utterance ids begin with the speaker id, and both are unique across all corpora.
    Raises UserError for an unknown name or a folder without the corpus.
    """
    if name not in CORPORA and name not in OWN:
        raise UserError(f"no corpus named {name!r}{nearest(name, [*CORPORA, *OWN])}")
    corpus = Path(corpus)
    if not corpus.is_dir():
        raise UserError(f"--corpus {corpus}: no such folder; {_where(name)}")
    splits = OWN[name](corpus, language) if name in OWN else CORPORA[name](corpus)
    directories = {}
    for split, utterances in splits.items():
        directories[split] = DataDir(sorted(utterances, key=lambda u: u.id.encode()), corpus)
        directories[split].write(Path(out) / split)
    return directories


def speechocean762(corpus: Path) -> Splits:
    """English by Mandarin speakers of all ages; ids are bare numbers and the text is in capitals."""

    def adapt(utterance: Utterance) -> Utterance:
        speaker = f"speechocean762-{utterance.speaker}"
        id = f"{speaker}-{utterance.id}"
        return replace(utterance, id=id, speaker=speaker, text=utterance.text.lower())

    return {split: [adapt(u) for u in _read(corpus, split, "en")] for split in ("train", "dev", "test")}


def kathleen(corpus: Path) -> Splits:
    """CMU Arctic sentences by one US-English woman, several takes each (arctic_a0001_<time>)."""
    train, dev = hold_out(_read(corpus, "train", "en"), lambda u: re.sub(r"_\d+$", "", u.id))
    return {"train": train, "dev": dev, "test": _read(corpus, "test", "en")}


def kerstin(corpus: Path) -> Splits:
    """German sentences by one woman."""
    train, dev = hold_out(_read(corpus, "train", "de"))
    return {"train": train, "dev": dev, "test": _read(corpus, "test", "de")}


def fsdd(corpus: Path) -> Splits:
    """English digits by six speakers; test is takes 0-4 of each digit, and dev takes 5-7."""

    def adapt(utterance: Utterance) -> Utterance:
        return replace(utterance, id=f"fsdd-{utterance.id}", speaker=f"fsdd-{utterance.speaker}")

    utterances = [adapt(u) for u in _read(corpus, "train", "en")]
    in_dev = [int(u.id.rsplit("-", 1)[1]) <= 7 for u in utterances]
    return {
        "train": [u for u, dev in zip(utterances, in_dev) if not dev],
        "dev": [u for u, dev in zip(utterances, in_dev) if dev],
        "test": [adapt(u) for u in _read(corpus, "test", "en")],
    }


def starter(corpus: Path) -> Splits:
    """Many English speakers, one good English voice and one good German voice."""
    return _joined(corpus, "starter")


def sounds(corpus: Path) -> Splits:
    """Speech of the starter set, environmental sounds and notes of a double bass."""
    return _joined(corpus, "sounds")


STARTER = ("speechocean762", "kathleen", "kerstin")
SOUNDS = (*STARTER, "esc10", "meatbass")
JOINED = {"starter": STARTER, "sounds": SOUNDS}
CORPORA: dict[str, Callable[[Path], Splits]] = {
    "speechocean762": speechocean762,
    "kathleen": kathleen,
    "kerstin": kerstin,
    "fsdd": fsdd,
    "meatbass": meatbass,
    "esc10": esc10,
    "starter": starter,
    "sounds": sounds,
}
OWN: dict[str, Callable[[Path, str], Splits]] = {"kaldi": kaldi, "folder": folder, "recordings": recordings}


def _read(corpus: Path, split: str, language: str) -> list[Utterance]:
    if not (corpus / split).is_dir():
        raise UserError(f"--corpus {corpus}: holds no {split}/; give the folder that holds train/, test/ and the audio")
    return DataDir.read(corpus / split, corpus, language).utterances


def _joined(corpus: Path, name: str) -> Splits:
    names = JOINED[name]
    for part in names:
        if not (corpus / part).is_dir():
            raise UserError(f"--corpus {corpus}: holds no {part}/; {_where(name)}")
    parts = [CORPORA[part](corpus / part) for part in names]
    return {split: [u for part in parts for u in part[split]] for split in ("train", "dev", "test")}


def _where(name: str) -> str:
    if name in JOINED:
        return f"give the folder that holds {', '.join(JOINED[name])} side by side"
    if name in OWN:
        return "give the folder of your recordings"
    if name in ("meatbass", "esc10"):
        return f"give the folder that holds {name}'s labels.tsv and audio/"
    return f"give the folder that holds {name}'s train/ and test/"
