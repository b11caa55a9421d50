"""Prepare steps for a corpus of the user's own: Kaldi directories, or a folder of recordings with or without texts."""

from collections.abc import Callable
from math import ceil
from pathlib import Path

from speechgen.audio.checks import inspect_audio
from speechgen.audio.containers import EXTENSIONS
from speechgen.audio.files import AudioError, read_audio_info
from speechgen.data.kaldi import DataDir, Segment, Utterance
from speechgen.data.splits import Splits, hold_out
from speechgen.data.tables import c_order
from speechgen.data.transcripts import TRANSCRIPTS, Row, find_table, match, read_transcripts
from speechgen.errors import UserError

SUFFIXES = frozenset(suffix for suffixes in EXTENSIONS.values() for suffix in suffixes)
PIECE_SECONDS = 20.0  # what longer recordings without texts are cut into
NO_LANGUAGE = "zxx"  # ISO 639-2: no linguistic content, or none that anyone wrote down
LONGEST_SECONDS = 100 * 3600.0  # a header that states more does not know


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
    """Recordings anywhere below ``corpus`` with their texts: in one csv or tsv there, or each beside its own (a.txt).

    The folder right below ``corpus`` names the speaker, unless the table does; recordings in ``corpus`` itself are one
    speaker's. With a table, recordings that have no text yet are left out until they have (see ``without_text``), and a
    row without its file becomes an utterance that the checks name. Without one, a recording without text gets an
    empty one, which the checks name, skip and count.
    """
    found = _recordings_below(corpus, "put each with its text there (a.wav, a.txt)")
    table = find_table(corpus)
    texts, missing = _texts(corpus, table, found)
    utterances = []
    for id, (path, speaker) in found.items():
        row = texts[path]
        if row.text or table is None:
            who = _word(row.speaker) or speaker
            own_id = id if who == speaker else f"{who}-{id}"
            utterances.append(Utterance(own_id, path, row.text, who, row.language or language))
    if not any(utterance.text for utterance in utterances):
        path = min(path for path, _ in found.values())
        raise UserError(
            f"--corpus {corpus}: {path} has no {path.stem}.txt; put each text beside its recording or all in a table "
            f"({TRANSCRIPTS}: 'speechgen data transcripts' begins one), or import 'recordings', "
            "which a codec can learn from"
        )
    name = _word(corpus.resolve().name)
    gone = [Utterance(f"{name}-{_word(one)}", corpus / one, "missing", name, language) for one in missing]
    return _complete({"train": [*utterances, *gone]})


def without_text(corpus: Path) -> int:
    """How many recordings of a folder with a table have no text yet."""
    table = find_table(corpus)
    if table is None:
        return 0
    texts, _ = _texts(corpus, table, _recordings_below(corpus, ""))
    return sum(not row.text for row in texts.values())


def list_recordings(corpus: Path) -> list[Path]:
    """Recordings anywhere below a folder; raises UserError when there are none."""
    return sorted(path for path, _ in _recordings_below(corpus, "put some there (wav, flac, mp3 and so on)").values())


def _texts(corpus: Path, table: Path | None, found: dict[str, tuple[Path, str]]) -> tuple[dict[Path, Row], list[str]]:
    """What is said in each recording, from the table or from the text beside it; and rows without a recording."""
    paths = [path for path, _ in found.values()]
    rows, missing = match(read_transcripts(table), corpus, paths) if table else ({}, [])
    beside = {path: Row(_text_beside(path)) for path in paths if path not in rows or not rows[path].text}
    return {**rows, **beside}, missing


def recordings(corpus: Path, language: str) -> Splits:
    """Recordings of any sound anywhere below ``corpus``, for models that need no text, such as a codec.

    Long ones become pieces of about 20 s. Speakers are named as by ``folder``. Since Kaldi wants a text, each has its
    own id as text, in no language (zxx). Pieces of one recording stay together where there are recordings enough.
    """
    found = _recordings_below(corpus, "put some there (wav, flac, mp3, ogg and so on)")
    utterances = [
        Utterance(piece_id, path, piece_id, speaker, NO_LANGUAGE, {}, piece)
        for id, (path, speaker) in found.items()
        for piece_id, piece in _pieces(id, path)
    ]
    few = len(found) < 10
    return _complete({"train": utterances}, lambda utterance: utterance.id if few else str(utterance.path))


def _recordings_below(corpus: Path, way_out: str) -> dict[str, tuple[Path, str]]:
    """(path, speaker) of each recording by its id, in the C locale's order; raises UserError when there are none."""
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(corpus.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name[0] == "." or not path.is_file():
            continue
        inner = path.relative_to(corpus).with_suffix("").parts
        speaker = _word(inner[0] if len(inner) > 1 else corpus.resolve().name)
        id = "-".join([speaker, *map(_word, inner[1:] if len(inner) > 1 else inner)])
        if id in found:
            raise UserError(f"{path}: would be {id}, as {found[id][0]} is; rename one of them")
        found[id] = path, speaker
    if not found:
        raise UserError(f"--corpus {corpus}: holds no recordings; {way_out}")
    return {id: found[id] for id in sorted(found, key=c_order)}


def _pieces(id: str, path: Path) -> list[tuple[str, Segment]]:
    """A recording in pieces of equal length, each with an id; one that cannot be read is one piece, for the checks."""
    try:
        seconds = read_audio_info(path).seconds
        if seconds > LONGEST_SECONDS:  # streamed FLAC
            seconds = inspect_audio(path).seconds
    except AudioError:
        seconds = 1.0
    count = max(1, ceil(seconds / PIECE_SECONDS))
    # To the millisecond, which files in text hold exactly; rounded down, so that the last one ends in time.
    edges = [int(1000 * seconds * number / count) / 1000 for number in range(count + 1)]
    names = [id] if count == 1 else [f"{id}-{number:05d}" for number in range(count)]
    return [(name, Segment(id, edges[i], max(edges[i + 1], edges[i] + 0.001))) for i, name in enumerate(names)]


def _text_beside(path: Path) -> str:
    text_path = path.with_suffix(".txt")
    try:
        return " ".join(text_path.read_text(encoding="utf-8-sig").split())
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise UserError(f"{text_path}: not UTF-8 text; convert it with iconv") from None


def _complete(splits: Splits, sentence_of: Callable[[Utterance], str] = lambda utterance: utterance.id) -> Splits:
    """Hold out of train what is missing of dev and test, by sentence: a tenth of train each, at most 40 utterances; of
    a small corpus up to three, since a voice is judged by sentences that are said in the voice of another one."""
    for missing in ("dev", "test"):
        if missing not in splits:
            whole = len(splits["train"])
            count = max(1, min(3, whole // 5), min(40, whole // 10))
            splits["train"], splits[missing] = hold_out(splits["train"], sentence_of, count)
    if not splits["train"]:
        raise UserError("the corpus is too small to hold some out for dev and test; at least 3 utterances are needed")
    return {split: splits[split] for split in ("train", "dev", "test")}


def _word(name: str) -> str:
    return "_".join(name.split())
