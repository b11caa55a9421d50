"""Long text to sentences that can be spoken one by one."""

import re

from speechgen.errors import UserError
from speechgen.text.abbreviations import ABBREVIATIONS
from speechgen.text.numbers import is_number_word
from speechgen.text.override import OVERRIDE

SHORTEST = 20  # characters; a shorter sentence joins its neighbour, since one word alone is hard to say well
CLOSING = "\"')]}»”’“"
WORD = re.compile(rf"(?:{OVERRIDE.pattern}|\S)+")
KNOWN = frozenset(form.lower() for forms in ABBREVIATIONS.values() for form in forms) | {"no.", "z.", "d.", "u.", "o."}


def split_sentences(text: str, max_characters: int = 300) -> list[str]:
    """Cut text at sentence ends, and longer sentences at clauses, then at words, into parts of at most
    ``max_characters``. Joined by spaces, the parts give the text back (with single spaces).

    Never cuts after an abbreviation or an initial, and never inside a number (in digits or in words), a name or an
    override of phonemes, unless that is longer than the limit by itself. Raises UserError when ``max_characters`` is
    less than 20.
    """
    if max_characters < SHORTEST:
        raise UserError(f"max_characters is {max_characters}; a part needs at least {SHORTEST}")
    words = [piece for word in _words(text) for piece in _pieces(word, max_characters)]
    parts: list[str] = []
    for sentence in _runs(words, _ends_sentence):
        if len(" ".join(sentence)) <= max_characters:
            parts.append(" ".join(sentence))
        else:
            parts += _pack([" ".join(clause) for clause in _runs(sentence, _ends_clause)], max_characters)
    return _join_short(parts, max_characters)


def _words(text: str) -> list[str]:
    """What stands between spaces; an override of phonemes is one word."""
    return [match[0] for match in WORD.finditer(text)]


def _pieces(word: str, longest: int) -> list[str]:
    """A word that is too long in pieces, unless it is a number or an override."""
    if len(word) <= longest or not re.search(r"[^\W\d]", word) or OVERRIDE.search(word):
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
    return core[-1:] in tuple(".!?…") and not following[0].islower() and not _is_short_form(core)


def _ends_clause(word: str, following: str) -> bool:
    core = word.rstrip(CLOSING)
    stopped = core[-1:] in (",", ";", ":", ".", "!", "?") and not _is_short_form(core)
    return stopped or following in ("-", "–", "—")


def _is_short_form(word: str) -> bool:
    """Whether a full stop belongs to the word: an abbreviation, initials (J. R. R., U.S.), a date (am 3. Mai)."""
    core = word.lstrip("\"'([{«„“‘")
    if core[-1:] != ".":
        return False
    return core.lower() in KNOWN or re.fullmatch(r"(?:[^\W\d]\.)+|\d{1,2}\.", core) is not None


def _pack(clauses: list[str], longest: int) -> list[str]:
    """Clauses joined as long as they fit; one that does not fit alone is cut between words."""
    parts: list[str] = []
    for clause in clauses:
        if parts and len(parts[-1]) + 1 + len(clause) <= longest:
            parts[-1] += f" {clause}"
        elif len(clause) <= longest:
            parts.append(clause)
        else:
            parts += _cut_words(_words(clause), longest)
    return parts


def _cut_words(words: list[str], longest: int) -> list[str]:
    """Words in parts that fit; numbers and names stay together."""
    groups: list[str] = []
    for word, before, after in zip(words, ["", *words], [*words[1:], ""]):
        if groups and _binds(before, word, after) and len(groups[-1]) + 1 + len(word) <= longest:
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


def _binds(before: str, word: str, after: str) -> bool:
    """Whether a word belongs to the one before: digits in groups, a number in words, or a name ("Ann Lee")."""
    if before[-1].isdigit() and word[0].isdigit():
        return True
    if is_number_word(before):
        return is_number_word(word) or (word == "and" and is_number_word(after))
    if before == "and" and is_number_word(word):
        return True
    named = before[0].isupper() and word[0].isupper() and before[-1].isalpha()
    return named or before.lower() in KNOWN or re.fullmatch(r"(?:[^\W\d]\.)+", before) is not None


def _join_short(parts: list[str], longest: int) -> list[str]:
    joined: list[str] = []
    for part in parts:
        short = joined and min(len(joined[-1]), len(part)) < SHORTEST
        if short and len(joined[-1]) + 1 + len(part) <= longest:
            joined[-1] += f" {part}"
        else:
            joined.append(part)
    return joined
