"""Train, dev and test: holding sentences out."""

import hashlib
import re
from collections.abc import Callable

from speechgen.data.kaldi import Utterance

Splits = dict[str, list[Utterance]]


def hold_out(
    utterances: list[Utterance],
    sentence_of: Callable[[Utterance], str] = lambda utterance: utterance.id,
    count: int = 40,
) -> tuple[list[Utterance], list[Utterance]]:
    """Split into (kept, held out) with about ``count`` utterances held out and no sentence on both sides.

    Takes belong to one sentence when ``sentence_of`` or their words agree. Sentences are chosen by a hash of
    their words, so the choice does not depend on the order of the list.
    """
    groups = _same_sentence(utterances, sentence_of)
    groups.sort(key=lambda group: hashlib.sha256(min(words_of(u) for u in group).encode()).digest())
    held: set[str] = set()
    for group in groups:
        if len(held) >= count:
            break
        held |= {u.id for u in group}
    return [u for u in utterances if u.id not in held], [u for u in utterances if u.id in held]


def words_of(utterance: Utterance) -> str:
    """The words of an utterance's text without case and punctuation."""
    return " ".join(re.findall(r"[^\W_]+", utterance.text.lower()))


def _same_sentence(utterances: list[Utterance], sentence_of: Callable[[Utterance], str]) -> list[list[Utterance]]:
    groups: dict[tuple[str, str], list[Utterance]] = {}

    def keys(utterance: Utterance) -> tuple[tuple[str, str], tuple[str, str]]:
        return ("sentence", sentence_of(utterance)), ("words", words_of(utterance))

    for utterance in utterances:
        found = {id(groups[key]): groups[key] for key in keys(utterance) if key in groups}
        joined = [member for group in found.values() for member in group] + [utterance]
        for member in joined:
            groups.update(dict.fromkeys(keys(member), joined))
    return list({id(group): group for group in groups.values()}.values())
