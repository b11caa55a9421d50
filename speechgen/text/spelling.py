"""Utterances to the symbols that models align, recognise and speak."""

from collections.abc import Sequence
from typing import Literal, Protocol

from speechgen.text.normalise import characters
from speechgen.text.phonemes import phonemize_many

PAUSE = " "


class Written(Protocol):
    """Anything with a text in a language."""

    text: str
    language: str


def spell(utterances: Sequence[Written], kind: Literal["phonemes", "characters"]) -> list[list[str]]:
    """Each utterance as phonemes or characters, opened and closed by the pause symbol " "."""
    if kind == "characters":
        return [[PAUSE, *characters(one.text), PAUSE] for one in utterances]
    spelled: dict[int, list[str]] = {}
    for language in sorted({one.language for one in utterances}):
        chosen = [i for i, one in enumerate(utterances) if one.language == language]
        spelled.update(zip(chosen, phonemize_many([utterances[i].text for i in chosen], language), strict=True))
    return [[PAUSE, *spelled[i], PAUSE] for i in range(len(utterances))]
