"""Dates and times of day to words."""

import re

from speechgen.text.addresses import Rule
from speechgen.text.numbers import YEAR, cardinal, decade, full_year, ordinal, year

MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
}
# Short forms, with or without a full stop where they are no words; Mar and Mai are.
SHORT = {
    "en": ("Jan", "Feb", r"Mar\.", "Apr", "May", "Jun", "Jul", "Aug", "Sept?", "Oct", "Nov", "Dec"),
    "de": ("Jan", "Feb", "Mrz", "Apr", "Mai", "Jun", "Jul", "Aug", "Sept?", "Okt", "Nov", "Dez"),
}
MONTH, DAY = r"(0?[1-9]|1[0-2])", r"(0?[1-9]|[12]\d|3[01])"
HOUR, MINUTE = r"([01]?\d|2[0-3])", r"([0-5]\d)"
NOON = r"(?:\s?([aApP])\.?[mM]\b(?:\.(?!\s*$))?)"
DATIVE = r"\b(?:[Aa]m|[Dd]en|[Dd]em|[Dd]es|[Ii]m|[Vv]om|[Zz]um|[Zz]ur|[Bb]eim|[Ss]eit|[Bb]is|[Vv]on|[Aa]b)"
AT = r"\b(?:in|an|auf|mit|von|bei|nach|seit|aus|zu|vor|hinter) (?:der|den|dem|seiner|ihrer|einer)"
ARTICLE = r"\b(?:[Dd]er|[Dd]ie|[Dd]as)"


def rules(language: str) -> list[Rule]:
    """Patterns of dates and times, from the most special, and what to say."""
    iso = rf"\b(\d{{4}})-{MONTH}-{DAY}\b"
    return [(iso, lambda m: _date(m[3], m[2], m[1], language)), *(_english() if language == "en" else _german())]


def _english() -> list[Rule]:
    named, which = _named("en")
    nth = rf"{DAY}(?:st|nd|rd|th)?\b(?![.,:/]?\d)"
    to = r"\s?-\s?"

    def clock(hour: str, minute: str, noon: str | None) -> str:
        after = f" {noon.upper()} M" if noon else ""
        if not int(minute):
            return cardinal(str(int(hour)), "en") + (after or " o'clock")
        return f"{_plain(hour, 'en')} {'oh ' if int(minute) < 10 else ''}{_plain(minute, 'en')}{after}"

    def slashed(m: re.Match) -> str:
        day, month = (m[2], m[1]) if int(m[1]) <= 12 else (m[1], m[2])
        return _date(day, month, full_year(m[3]), "en") if int(month) <= 12 else m[0].replace("/", " ")

    return [
        (rf"\b{DAY}/{DAY}/(\d{{4}}|\d\d)\b", slashed),
        (
            rf"\b({named})\s{nth}(?:{to}{nth})(,?\s\d{{4}}\b)?",
            lambda m: f"{which(m[1])} {ordinal(m[2], 'en')} to {ordinal(m[3], 'en')}{_of_year(m[4])}",
        ),
        (rf"\b({named})\s{nth}(,?\s\d{{4}}\b)?", lambda m: f"{which(m[1])} {ordinal(m[2], 'en')}{_of_year(m[3])}"),
        (
            rf"\b([Tt]he )?{DAY}(?:st|nd|rd|th)?\s(?:of\s)?({named})(?!\w)(,?\s\d{{4}}\b)?",
            lambda m: f"{m[1] or 'the '}{ordinal(m[2], 'en')} of {which(m[3])}{_of_year(m[4])}",
        ),
        (
            rf"\b{HOUR}:{MINUTE}:{MINUTE}\b(?!:)",
            lambda m: f"{clock(m[1], m[2], None)} and {_plain(m[3], 'en')} seconds",
        ),
        (
            rf"\b{HOUR}:{MINUTE}{NOON}?{to}{HOUR}:{MINUTE}{NOON}?(?!\d)",
            lambda m: f"{clock(m[1], m[2], m[3])} to {clock(m[4], m[5], m[6])}",
        ),
        (
            rf"\b(1[0-2]|[1-9]){to}(1[0-2]|[1-9]){NOON}",
            lambda m: f"{cardinal(m[1], 'en')} to {cardinal(m[2], 'en')} {m[3].upper()} M",
        ),
        (rf"\b{HOUR}:{MINUTE}(?!\d){NOON}?", lambda m: clock(m[1], m[2], m[3])),
        (rf"\b(1[0-2]|[1-9]){NOON}", lambda m: f"{cardinal(m[1], 'en')} {m[2].upper()} M"),
        (r"\b(\d{1,4})\s?(BCE?|CE|AD)\b", lambda m: f"{cardinal(m[1], 'en')} {' '.join(m[2])}"),
        (r"\b(AD)\s(\d{1,4})\b", lambda m: f"A D {cardinal(m[2], 'en')}"),
        (rf"\b({YEAR})-({YEAR})\b", lambda m: f"{year(m[1], 'en')} to {year(m[2], 'en')}"),
        (r"\b((?:1[1-9]|20)\d\d)-(\d\d)\b(?!-)", lambda m: f"{year(m[1], 'en')} to {_plain(m[2], 'en')}"),
        (r"\b(1[1-9]\d0|20\d0)'?s\b|'?\b([2-9]0)'?s\b", lambda m: decade(m[1] or m[2])),
    ]


def _german() -> list[Rule]:
    named, which = _named("de")
    to = r"\s?(?:-|bis)\s?"

    def clock(hour: str, minute: str = "0") -> str:
        hours = "ein" if int(hour) == 1 else _plain(hour, "de")
        return f"{hours} Uhr {_plain(minute, 'de') if int(minute) else ''}".strip()

    def nth(number: str, before: str | None) -> str:
        return ordinal(number, "de", "n" if before and re.fullmatch(DATIVE + r"\s|" + AT + r"\s", before) else "r")

    def day(m: re.Match) -> str:
        """Groups: what stands before, day, month, and perhaps a year."""
        said = year(full_year(m[4]), "de") if m[4] else ""
        return f"{m[1] or ''}{nth(m[2], m[1])} {MONTHS['de'][int(m[3]) - 1]} {said}".rstrip()

    before = rf"({DATIVE}\s|{AT}\s)?"
    return [
        (rf"{before}\b{DAY}\.\s?{MONTH}\.\s?(\d{{4}}|\d\d)\b(?![.,]\d)", day),
        (rf"{before}\b{DAY}\.{MONTH}\.(?=\s|$|[,;)])()", day),
        (
            rf"{before}\b{DAY}\.{to}{DAY}\.\s({named})(?!\w)",
            lambda m: f"{m[1] or ''}{nth(m[2], m[1])} bis {nth(m[3], m[1])} {which(m[4])}",
        ),
        (rf"{before}\b{DAY}\.\s({named})(?!\w)", lambda m: f"{m[1] or ''}{nth(m[2], m[1])} {which(m[3])}"),
        (rf"\b{HOUR}:{MINUTE}:{MINUTE}\b(?!:)(?:\sUhr\b)?", _german_seconds),
        (
            rf"\b{HOUR}[:.]{MINUTE}(?:\sUhr)?\s?(?:-|bis)\s?{HOUR}[:.]{MINUTE}\sUhr\b",
            lambda m: f"{clock(m[1], m[2])} bis {clock(m[3], m[4])}",
        ),
        (rf"\b{HOUR}{to}{HOUR}\sUhr\b", lambda m: f"{_plain(m[1], 'de')} bis {clock(m[2])}"),
        (rf"\b{HOUR}:{MINUTE}(?!\d)(?:\sUhr\b)?", lambda m: clock(m[1], m[2])),
        (rf"(?<![\d:.,]){HOUR}\.{MINUTE}\sUhr\b", lambda m: clock(m[1], m[2])),
        (r"(?<![\d:.,])([01]?\d|2[0-4])\sUhr(?:\s([0-5]?\d)\b)?", lambda m: clock(m[1], m[2] or "0")),
        (rf"\b({YEAR})\s?-\s?({YEAR})\b", lambda m: f"{year(m[1], 'de')} bis {year(m[2], 'de')}"),
        (
            rf"({DATIVE}|{AT})\s(\d{{1,4}})\.(?=\s\w)",
            lambda m: f"{m[1]} {ordinal(m[2], 'de', 'n')}",
        ),
        (rf"({ARTICLE})\s(\d{{1,4}})\.(?=\s\w|,)", lambda m: f"{m[1]} {ordinal(m[2], 'de')}"),
        (r"\b(\d{1,3})\.(?=\sJahrhundert)", lambda m: ordinal(m[1], "de", "s")),
        (r"\b(1[1-9]\d0|20\d0|[2-9]0)er\b", lambda m: f"{year(m[1], 'de')}er"),
    ]


def _named(language: str):
    """A pattern of month names and their short forms, and the function from one of them to the name."""
    months, short = MONTHS[language], SHORT[language]
    pattern = "|".join([*months, *(rf"{form}\.?" if "." not in form else form for form in short)])
    by_letters = {month[:3].lower(): month for month in months} | {"mrz": "März"}
    return pattern, lambda found: by_letters[found[:3].lower()]


def _date(day: str, month: str, in_year: str, language: str) -> str:
    name = MONTHS[language][int(month) - 1]
    if language == "en":
        return f"{name} {ordinal(day, 'en')} {year(in_year, 'en')}"
    return f"{ordinal(day, 'de', 'r')} {name} {year(in_year, 'de')}"


def _of_year(written: str | None) -> str:
    """ ", 1999" to ", nineteen ninety-nine"."""
    return f"{',' if written.startswith(',') else ''} {year(written[-4:], 'en')}" if written else ""


def _german_seconds(m: re.Match) -> str:
    hours = "ein" if int(m[1]) == 1 else _plain(m[1], "de")
    return f"{hours} Uhr {_plain(m[2], 'de')} und {_plain(m[3], 'de')} Sekunden"


def _plain(number: str, language: str) -> str:
    return cardinal(str(int(number)), language)
