"""Prepare steps for a corpus of the user's own: Kaldi directories, or a folder of recordings with their texts."""

from pathlib import Path

from speechgen.audio.containers import EXTENSIONS
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.splits import Splits, hold_out
from speechgen.data.tables import c_order
from speechgen.errors import UserError

SUFFIXES = frozenset(suffix for suffixes in EXTENSIONS.values() for suffix in suffixes)


def kaldi(corpus: Path, language: str) -> Splits:
    """Kaldi directories train, dev and test below ``corpus``; missing ones are held out of train by sentence."""
    if not (corpus / "train").is_dir():
        raise UserError(f"--corpus {corpus}: holds no train/; give the folder that holds train/ (and dev/, test/)")
    splits = {
        split: DataDir.read(corpus / split, corpus, language).utterances
        for split in ("train", "dev", "test")
        if (corpus / split).is_dir()
    }
    return _complete(splits)


def folder(corpus: Path, language: str) -> Splits:
    """Recordings anywhere below ``corpus``, each with its text beside it: a.wav and a.txt.

    The folder right below ``corpus`` names the speaker; recordings in ``corpus`` itself are one speaker's.
    A recording without text gets an empty one, which the checks name, skip and count.
    """
    utterances: dict[str, Utterance] = {}
    paths = [path for path in sorted(corpus.rglob("*")) if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    for path in paths:
        inner = path.relative_to(corpus).with_suffix("").parts
        speaker = _word(inner[0] if len(inner) > 1 else corpus.resolve().name)
        id = "-".join([speaker, *map(_word, inner[1:] if len(inner) > 1 else inner)])
        if id in utterances:
            raise UserError(f"{path}: would be {id}, as {utterances[id].path} is; rename one of them")
        utterances[id] = Utterance(id, path, _text_beside(path), speaker, language)
    if not utterances:
        raise UserError(f"--corpus {corpus}: holds no recordings; put each with its text there (a.wav, a.txt)")
    if not any(utterance.text for utterance in utterances.values()):
        raise UserError(f"--corpus {corpus}: {paths[0]} has no {paths[0].stem}.txt; put each text beside its recording")
    return _complete({"train": [utterances[id] for id in sorted(utterances, key=c_order)]})


def _text_beside(path: Path) -> str:
    text_path = path.with_suffix(".txt")
    try:
        return " ".join(text_path.read_text(encoding="utf-8-sig").split())
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise UserError(f"{text_path}: not UTF-8 text; convert it with iconv") from None


def _complete(splits: Splits) -> Splits:
    """Hold out of train what is missing of dev and test: a tenth of train each, at most 40 utterances."""
    for missing in ("dev", "test"):
        if missing not in splits:
            count = max(1, min(40, len(splits["train"]) // 10))
            splits["train"], splits[missing] = hold_out(splits["train"], count=count)
    if not splits["train"]:
        raise UserError("the corpus has too few sentences to hold some out for dev and test; at least 3 are needed")
    return {split: splits[split] for split in ("train", "dev", "test")}


def _word(name: str) -> str:
    return "_".join(name.split())
