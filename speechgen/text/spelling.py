"""Utterances to the symbols that models align, recognise and speak."""

from collections.abc import Sequence
from typing import Literal, Protocol

from speechgen.errors import UserError
from speechgen.text.normalise import characters
from speechgen.text.override import OVERRIDE
from speechgen.text.phonemes import phonemize_many

PAUSE = " "


class Written(Protocol):
    """Anything with a text in a language."""

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
