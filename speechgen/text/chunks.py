"""Long text to sentences that can be spoken one by one."""

import re

from speechgen.errors import UserError
from speechgen.text.abbreviations import ABBREVIATIONS

SHORTEST = 20  # characters; a shorter sentence joins its neighbour, since one word alone is hard to say well
CLOSING = "\"')]}»”’“"
KNOWN = frozenset(form.lower() for forms in ABBREVIATIONS.values() for form in forms) | {"no.", "z.", "d.", "u.", "o."}


def split_sentences(text: str, max_characters: int = 300) -> list[str]:
    """Cut text at sentence ends, and longer sentences at clauses, then at words, into parts of at most
    ``max_characters``. Joined by spaces, the parts give the text back (with single spaces).

    Never cuts after an abbreviation or an initial, and never inside a number; only a single word longer than
    the limit is cut anywhere. Raises UserError when ``max_characters`` is less than 20.
    """
    if max_characters < SHORTEST:
        raise UserError(f"max_characters is {max_characters}; a part needs at least {SHORTEST}")
    words = [piece for word in text.split() for piece in _pieces(word, max_characters)]
    parts: list[str] = []
    for sentence in _runs(words, _ends_sentence):
        if len(" ".join(sentence)) <= max_characters:
            parts.append(" ".join(sentence))
        else:
            parts += _pack([" ".join(clause) for clause in _runs(sentence, _ends_clause)], max_characters)
    return _join_short(parts, max_characters)


def _pieces(word: str, longest: int) -> list[str]:
    """A word that is too long in pieces, unless it is a number."""
    if len(word) <= longest or not re.search(r"[^\W\d]", word):
        return [word]
    return [word[start : start + longest] for start in range(0, len(word), longest)]


def _runs(words: list[str], ends) -> list[list[str]]:
    """Words in runs; a run ends after a word for which ``ends(word, next word)``."""
    runs: list[list[str]] = [[]]
    for word, following in zip(words, words[1:] + [""]):
        runs[-1].append(word)
        if following and ends(word, following):
            runs.append([])
    return [run for run in runs if run]


def _ends_sentence(word: str, following: str) -> bool:
    core = word.rstrip(CLOSING)
    if not core or core[-1] not in ".!?…":
        return False
    if following[0].islower():
        return False
    if core[-1] != ".":
        return True
    core = core.lstrip("\"'([{«„“‘")
    initial = re.fullmatch(r"(?:[^\W\d]\.)+", core)  # J. R. R. Tolkien, U.S.
    numbered = re.fullmatch(r"\d{1,2}\.", core)  # am 3. Mai
    return not (core.lower() in KNOWN or initial or numbered)


def _ends_clause(word: str, following: str) -> bool:
    return word.rstrip(CLOSING)[-1:] in (",", ";", ":", ".", "!", "?") or following in ("-", "–", "—")


def _pack(clauses: list[str], longest: int) -> list[str]:
    """Clauses joined as long as they fit; one that does not fit alone is cut between words."""
    parts: list[str] = []
    for clause in clauses:
        if parts and len(parts[-1]) + 1 + len(clause) <= longest:
            parts[-1] += f" {clause}"
        elif len(clause) <= longest:
            parts.append(clause)
        else:
            parts += _cut_words(clause.split(), longest)
    return parts


def _cut_words(words: list[str], longest: int) -> list[str]:
    """Words in parts that fit; groups of digits ("10 000 000") stay together."""
    groups: list[str] = []
    for word in words:
        together = groups and groups[-1][-1].isdigit() and word[0].isdigit()
        if together and len(groups[-1]) + 1 + len(word) <= longest:
            groups[-1] += f" {word}"
        else:
            groups.append(word)
    parts: list[str] = []
    for group in groups:
        if parts and len(parts[-1]) + 1 + len(group) <= longest:
            parts[-1] += f" {group}"
        else:
            parts.append(group)
    return parts


def _join_short(parts: list[str], longest: int) -> list[str]:
    joined: list[str] = []
    for part in parts:
        short = joined and min(len(joined[-1]), len(part)) < SHORTEST
        if short and len(joined[-1]) + 1 + len(part) <= longest:
            joined[-1] += f" {part}"
        else:
            joined.append(part)
    return joined
