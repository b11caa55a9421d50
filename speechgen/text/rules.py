"""All rules by which digits and signs become words, in order: the first that fits is the one that speaks."""

import re
import unicodedata
from functools import lru_cache

from speechgen.text import addresses, moments, quantities, romans
from speechgen.text.numbers import NUMBER, WORDS, YEAR, cardinal, ordinal, year

# Anything that a rule could be about; text without any is left alone, which is most text.
OPENING, CLOSING = frozenset(["", *" \"'(["]), frozenset(["", *" -.,;:!?\"')]"])
TOUCHED = re.compile(r"[^\w\s.,;:!?'\"()\[\]-]|[\d_@/]|\w\.\w|\b[IVXLC]+\b|[^\W\d]-\s")


def spell_addresses(text: str, language: str) -> str:
    """Spell e-mail and web addresses, telephone numbers and versions, before anything in them is taken for more."""
    return _applied(text, _compiled_addresses(language))


def spell_numbers(text: str, language: str) -> str:
    """Replace digits and the signs around them by words in ``language`` ("en" or "de"); none are left."""
    text = "".join(_plain_digit(character) for character in quantities.raise_powers(text))
    if TOUCHED.search(text):
        text = _applied(text, _compiled(language))
        for sign, word in quantities.SIGNS[language].items():
            text = text.replace(sign, f" {word} ")
    text = re.sub(r"\s+-(?=\w)", " ", re.sub(r"\s+", " ", text))  # no dash is left hanging where a number was
    return re.sub(r"\s+(?=[,.;:!?)\]'\"](?:\s|$))", "", text).strip()


def _applied(text: str, compiled: list) -> str:
    for pattern, words in compiled:
        text = pattern.sub(lambda match, words=words: _set_in(words(match), match), text)
    return text


def _set_in(words: str, match: re.Match) -> str:
    """Words with a space towards a neighbour that is a letter, a digit or a sign, but none beside punctuation."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return f"{'' if before in OPENING else ' '}{words}{'' if after in CLOSING else ' '}"


@lru_cache
def _compiled_addresses(language: str) -> list:
    return [(re.compile(pattern), words) for pattern, words in addresses.rules(language)]


@lru_cache
def _compiled(language: str) -> list:
    found = [
        *romans.rules(language),
        *moments.rules(language),
        *quantities.rules(language),
        *_bare(language),
    ]
    return [(re.compile(pattern), words) for pattern, words in found]


def _bare(language: str) -> list[addresses.Rule]:
    """What is left when no rule knew better."""
    number, point = NUMBER[language], WORDS[language]["point"]
    nth = [(r"\b(\d{1,3}(?:,\d{3})+|\d+)(?i:st|nd|rd|th)\b", lambda m: ordinal(m[1], "en"))] if language == "en" else []
    decimal = r"\." if language == "en" else ","
    return [
        *nth,
        (rf"(?:^|(?<=[\s(]))(minus )?{decimal}(?=\d)", lambda m: f"{m[1] or ''}{point}"),
        (rf"\b{YEAR}\b", lambda m: year(m[0], language)),
        (number, lambda m: cardinal(m[0], language)),
        (r"[%‰]", lambda m: quantities.UNITS[language][m[0]][-1]),
        (r"[#№*_~^|\\<>{}/°±≈≤≥¢¥]", lambda m: ""),
    ]


def _plain_digit(character: str) -> str:
    """Digits of any kind (superscript, full width, Arabic-Indic) as 0-9, fractions as 1/2."""
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.digit(character))
    if unicodedata.category(character) in ("No", "Nl"):
        return f" {unicodedata.normalize('NFKC', character).replace('⁄', '/')} "
    return character
