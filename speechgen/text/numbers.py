"""Digits to words, by num2words: cardinals, ordinals, years, single digits, in "en" or "de"."""

import re

WORDS = {
    "en": {"point": "point", "minus": "minus", "to": "to", "number": "number", "half": "a half", "and": "and"},
    "de": {"point": "Komma", "minus": "minus", "to": "bis", "number": "Nummer", "half": "ein halb", "and": "und"},
}
# Digits with thousands separators and decimals, as each language writes them.
NUMBER = {
    "en": r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?",
    "de": r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|[1-9]\d{0,2}(?: \d{3})+(?:,\d+)?(?![\d ]*\d)|\d+(?:,\d+)?",
}
YEAR = r"(?<![\d.,])(?:1[1-9]\d\d|20\d\d)(?!\d|[.,]\d)"
LONGEST_READ = 15  # longer strings of digits are read digit by digit
_ENGLISH = (
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion"
    " point minus"
)
NUMBER_WORDS = frozenset(_ENGLISH.split())  # English writes a number in many words, which belong together


def cardinal(number: str, language: str) -> str:
    """Digits as written, with separators and decimals, to words."""
    thousands, decimal = (",", ".") if language == "en" else (".", ",")
    whole, _, decimals = number.replace(thousands, "").replace(" ", "").partition(decimal)
    if len(whole) > LONGEST_READ or (len(whole) > 1 and whole[0] == "0"):
        return digits(whole + decimals, language)
    words = _num2words(int(whole), language).replace(",", "")
    return f"{words} {WORDS[language]['point']} {digits(decimals, language)}" if decimals else words


def ordinal(number: str, language: str, ending: str = "") -> str:
    """A whole number to its ordinal ("third", "dritte" + ending); long ones digit by digit."""
    figures = re.sub(r"\D", "", number)
    if len(figures) > LONGEST_READ:
        return digits(figures, language)
    return _num2words(int(figures), language, to="ordinal").replace(",", "") + ending


def year(number: str, language: str) -> str:
    """A year: from 1100 to 2099 as it is read ("nineteen eighty-four"), any other as a number."""
    if not re.fullmatch(YEAR, number):
        return cardinal(number, language)
    return _num2words(int(number), language, to="year").replace(" oh-", " oh ")


def full_year(number: str) -> str:
    """Two digits of a date as four: 00 to 49 are of this century, 50 to 99 of the last."""
    return number if len(number) != 2 else f"{'20' if number < '50' else '19'}{number}"


def decade(number: str) -> str:
    """English tens of years: 1980 to "nineteen eighties"."""
    words = year(number, "en")
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def digits(figures: str, language: str) -> str:
    """Digit by digit."""
    return " ".join(_num2words(int(digit), language) for digit in figures)


def is_number_word(word: str) -> bool:
    """Whether an English word is a part of a number in words ("twenty-three", "hundred")."""
    return all(part in NUMBER_WORDS for part in word.lower().split("-"))


def _num2words(number: int, language: str, to: str = "cardinal") -> str:
    from num2words import num2words

    return num2words(number, lang=language, to=to)
