"""Utterances to the symbols that models align, recognise and speak."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from speechgen.errors import UserError
from speechgen.text.normalise import characters
from speechgen.text.override import OVERRIDE
from speechgen.text.pauses import clauses
from speechgen.text.phonemes import phonemize_many

PAUSE = " "


class Written(Protocol):
    """Anything with a text in a language."""

    text: str
    language: str


@dataclass(frozen=True)
class _Written:
    text: str
    language: str


def spell(utterances: Sequence[Written], kind: Literal["phonemes", "characters"]) -> list[list[str]]:
    """Each utterance as phonemes or characters, opened and closed by the pause symbol " "."""
    if kind == "characters":
        for one in utterances:
            if found := OVERRIDE.search(one.text):
                raise UserError(f"{found[0]}: this model reads characters, not phonemes; write the word as it sounds")
        return [[PAUSE, *characters(one.text), PAUSE] for one in utterances]
    spelled: dict[int, list[str]] = {}
    for language in sorted({one.language for one in utterances}):
        chosen = [i for i, one in enumerate(utterances) if one.language == language]
        spelled.update(zip(chosen, phonemize_many([utterances[i].text for i in chosen], language), strict=True))
    return [[PAUSE, *spelled[i], PAUSE] for i in range(len(utterances))]


def spell_with_rests(
    texts: Sequence[str], language: str, kind: Literal["phonemes", "characters"]
) -> list[tuple[list[str], list[float]]]:
    """Normalised texts as ``spell`` gives them, and for each symbol the seconds that it lasts at least.

    Only pauses at punctuation have any. Characters hold the punctuation themselves, so that all theirs are 0.
    """
    if kind == "characters":
        spelled = spell([_Written(text, language) for text in texts], kind)
        return [(symbols, [0.0] * len(symbols)) for symbols in spelled]
    divided = [clauses(text) for text in texts]
    said = iter(phonemize_many([clause for found in divided for clause, _ in found], language))
    both = []
    for found in divided:
        symbols, rests = [PAUSE], [0.0]
        for number, (_, rest) in enumerate(found, start=1):
            if phonemes := next(said):
                last = number == len(found)  # what follows the chunk is not said with it
                symbols += [*phonemes, PAUSE]
                rests += [0.0] * len(phonemes) + [0.0 if last else rest]
        both.append((symbols, rests))
    return both


def spell_each(utterances: Sequence[Written]) -> list[list[str] | str]:
    """The phonemes of each utterance as ``spell`` gives them, or why it has none.

    Raises UserError when no utterance has any.
    """
    if not utterances:
        return []
    try:
        return list(spell(utterances, "phonemes"))  # all at once is many times faster
    except UserError as error:
        first = error
    spelled: list[list[str] | str] = []
    for utterance in utterances:
        try:
            spelled += spell([utterance], "phonemes")
        except UserError as error:
            spelled.append(str(error))
    if all(isinstance(one, str) for one in spelled):
        raise first
    return spelled
