"""Digits and signs to words, by num2words: numbers, years, ordinals, dates, money, percent, time, units."""

import re
import unicodedata
from collections.abc import Callable

MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
}
WORDS = {
    "en": {"point": "point", "minus": "minus", "to": "to", "%": "percent", "‰": "per mille", "number": "number"},
    "de": {"point": "Komma", "minus": "minus", "to": "bis", "%": "Prozent", "‰": "Promille", "number": "Nummer"},
}
SIGNS = {
    "en": {"&": "and", "+": "plus", "=": "equals", "@": "at", "§": "section", "×": "times", "÷": "divided by"},
    "de": {"&": "und", "+": "plus", "=": "gleich", "@": "at", "§": "Paragraf", "×": "mal", "÷": "geteilt durch"},
}
# Sign: one, several, the hundredth part.
MONEY = {
    "en": {"$": ("dollar", "dollars", "cents"), "€": ("euro", "euros", "cents"), "£": ("pound", "pounds", "pence")},
    "de": {"$": ("Dollar", "Dollar", "Cent"), "€": ("Euro", "Euro", "Cent"), "£": ("Pfund", "Pfund", "Pence")},
}
UNITS = {
    "en": {
        "km/h": "kilometers per hour", "km": "kilometers", "cm": "centimeters", "mm": "millimeters",
        "kg": "kilograms", "kHz": "kilohertz", "Hz": "hertz", "°C": "degrees Celsius", "°F": "degrees Fahrenheit",
        "°": "degrees",
    },
    "de": {
        "km/h": "Kilometer pro Stunde", "km": "Kilometer", "cm": "Zentimeter", "mm": "Millimeter",
        "kg": "Kilogramm", "kHz": "Kilohertz", "Hz": "Hertz", "°C": "Grad Celsius", "°F": "Grad Fahrenheit",
        "°": "Grad",
    },
}  # fmt: skip
FRACTIONS = {
    "en": {"1/2": "one half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter", "3/4": "three quarters"},
    "de": {"1/2": "ein halb", "1/3": "ein drittel", "2/3": "zwei drittel", "1/4": "ein viertel", "3/4": "drei viertel"},
}
# Digits with thousands separators and decimals, as each language writes them.
NUMBER = {"en": r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?", "de": r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?"}
YEAR = r"(?<![\d.,])(?:1[1-9]\d\d|20\d\d)(?!\d|[.,]\d)"
LONGEST_READ = 15  # longer strings of digits are read digit by digit


def spell_numbers(text: str, language: str) -> str:
    """Replace digits and the signs around them by words in ``language`` ("en" or "de"); none are left."""
    text = "".join(_plain_digit(character) for character in text)
    for pattern, words in RULES[language]:
        text = re.sub(pattern, lambda match, words=words: f" {words(match)} ", text)
    for sign, word in SIGNS[language].items():
        text = text.replace(sign, f" {word} ")
    text = re.sub(r"\s+-(?=\w)", " ", re.sub(r"\s+", " ", text))  # no dash is left hanging where a number was
    return re.sub(r"\s+(?=[,.;:!?)\]'\"](?:\s|$))", "", text).strip()


def cardinal(number: str, language: str) -> str:
    """Digits as written, with separators and decimals, to words."""
    thousands, decimal = (",", ".") if language == "en" else (".", ",")
    whole, _, digits = number.replace(thousands, "").partition(decimal)
    if len(whole) > LONGEST_READ or (len(whole) > 1 and whole[0] == "0"):
        return _digits(whole + digits, language)
    words = _num2words(int(whole), language).replace(",", "")
    return f"{words} {WORDS[language]['point']} {_digits(digits, language)}" if digits else words


def ordinal(number: str, language: str, ending: str = "") -> str:
    """A whole number to its ordinal ("third", "dritte" + ending); long ones digit by digit."""
    digits = re.sub(r"\D", "", number)
    if len(digits) > LONGEST_READ:
        return _digits(digits, language)
    return _num2words(int(digits), language, to="ordinal") + ending


def year(number: str, language: str) -> str:
    """A year from 1100 to 2099 as it is read ("nineteen eighty-four")."""
    return _num2words(int(number), language, to="year").replace(" oh-", " oh ")


def _num2words(number: int, language: str, to: str = "cardinal") -> str:
    from num2words import num2words

    return num2words(number, lang=language, to=to)


def _digits(digits: str, language: str) -> str:
    return " ".join(_num2words(int(digit), language) for digit in digits)


def _plain_digit(character: str) -> str:
    """Digits of any kind (superscript, full width, Arabic-Indic) as 0-9, fractions as 1/2."""
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.digit(character))
    if unicodedata.category(character) in ("No", "Nl"):
        return f" {unicodedata.normalize('NFKC', character).replace('⁄', '/')} "
    return character


def _money(amount: str, sign: str, scale: str, language: str) -> str:
    one, several, parts = MONEY[language][sign]
    decimal = "." if language == "en" else ","
    whole, _, digits = amount.partition(decimal)
    if scale or len(digits) not in (0, 2):
        return f"{cardinal(amount, language)} {scale} {several}"
    if whole == "1":
        words = f"{'one' if language == 'en' else 'ein'} {one}"
    else:
        words = f"{cardinal(whole, language)} {several}"
    if not digits.strip("0"):
        return words
    rest = cardinal(str(int(digits)), language)
    return f"{rest} {parts}" if whole == "0" else f"{words} {rest}"


def _time(hour: str, minute: str, after: str, language: str) -> str:
    hours = _num2words(int(hour), language)
    minutes = _num2words(int(minute), language) if int(minute) else ""
    if language == "de":
        return f"{'ein' if int(hour) == 1 else hours} Uhr {minutes}"
    after = " ".join(after.upper().replace(".", ""))
    if not minutes:
        return f"{hours} {after}" if after else f"{hours} o'clock"
    return f"{hours} {'oh ' if int(minute) < 10 else ''}{minutes} {after}"


def _date(day: str, month: str, year_: str, language: str) -> str:
    name = MONTHS[language][int(month) - 1]
    if language == "en":
        return f"{name} {ordinal(day, 'en')} {cardinal_year(year_, 'en')}"
    return f"{ordinal(day, 'de', 'r')} {name} {cardinal_year(year_, 'de')}"


def cardinal_year(number: str, language: str) -> str:
    """A year of any size."""
    return year(number, language) if re.fullmatch(YEAR, number) else cardinal(number, language)


def _decade(number: str) -> str:
    words = year(number, "en") if len(number) == 4 else cardinal(number, "en")
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


Rule = tuple[str, Callable[[re.Match], str]]


def _rules(language: str) -> list[Rule]:
    """Patterns and what to say, from the most special to bare digits."""
    words, number = WORDS[language], NUMBER[language]
    signs = "".join(MONEY[language])
    scales = "thousand|million|billion|trillion" if language == "en" else "Tausend|Millionen?|Milliarden?"
    units = "|".join(sorted(map(re.escape, UNITS[language]), key=len, reverse=True))
    month = r"(0?[1-9]|1[0-2])"
    day = r"(0?[1-9]|[12]\d|3[01])"
    common: list[Rule] = [
        (rf"\b(\d{{4}})-{month}-{day}\b", lambda m: _date(m[3], m[2], m[1], language)),
        (
            r"\b([01]?\d|2[0-3]):([0-5]\d)(?!\d)(?:\s?(Uhr|[aApP]\.?[mM]\b(?:\.(?!\s*$))?))?",
            lambda m: _time(m[1], m[2], m[3] or "", language),
        ),
        (
            rf"([{signs}])\s?({number})(?:\s({scales})\b)?",
            lambda m: _money(m[2], m[1], m[3] or "", language),
        ),
        (
            rf"({number})(?:\s({scales}))?\s?([{signs}])",
            lambda m: _money(m[1], m[3], m[2] or "", language),
        ),
        (
            r"\b([1-3]/[234])\b(?!/)",
            lambda m: FRACTIONS[language].get(m[1], m[1].replace("/", " ")),
        ),
        (rf"(?<![\w.,])({number})-({number})(?![\w-])", lambda m: _range(m[1], m[2], words["to"])),
        (rf"(?<![\w)\]])-(?={number})", lambda m: words["minus"]),
        (rf"({number})\s*([%‰])", lambda m: f"{cardinal(m[1], language)} {words[m[2]]}"),
        (rf"({number})\s*({units})(?!\w)", lambda m: f"{cardinal(m[1], language)} {UNITS[language][m[2]]}"),
        (r"[#№](?=\s?\d)", lambda m: words["number"]),
    ]
    special = _english_rules() if language == "en" else _german_rules(month, day)
    bare: list[Rule] = [
        (rf"\b{YEAR}\b", lambda m: year(m[0], language)),
        (number, lambda m: cardinal(m[0], language)),
        (r"[%‰]", lambda m: words[m[0]]),
        (r"[#№*_~^|\\<>{}/°]", lambda m: ""),
    ]
    return special + common + bare


def _english_rules() -> list[Rule]:
    return [
        (r"\b(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b", lambda m: ordinal(m[1], "en")),
        (r"\b(1[1-9]\d0|20\d0)'?s\b|'?\b([2-9]0)s\b", lambda m: _decade(m[1] or m[2])),
        (r"\b(1[0-2]|[1-9])\s?([aApP])\.?[mM]\b(?:\.(?!\s*$))?", lambda m: f"{cardinal(m[1], 'en')} {m[2].upper()} M"),
    ]


def _german_rules(month: str, day: str) -> list[Rule]:
    months = "|".join(MONTHS["de"])
    dative = r"\b([Aa]m|[Dd]en|[Dd]em|[Dd]es|[Ii]m|[Vv]om|[Zz]um|[Bb]eim|[Ss]eit)"
    article = r"\b([Dd]er|[Dd]ie|[Dd]as)"
    return [
        (
            rf"{dative}\s{day}\.{month}\.(\d{{4}})\b",
            lambda m: f"{m[1]} {ordinal(m[2], 'de', 'n')} {MONTHS['de'][int(m[3]) - 1]} {cardinal_year(m[4], 'de')}",
        ),
        (rf"\b{day}\.{month}\.(\d{{4}})\b", lambda m: _date(m[1], m[2], m[3], "de")),
        (rf"{dative}\s(\d{{1,4}})\.(?=\s\w)", lambda m: f"{m[1]} {ordinal(m[2], 'de', 'n')}"),
        (rf"{article}\s(\d{{1,4}})\.(?=\s\w)", lambda m: f"{m[1]} {ordinal(m[2], 'de')}"),
        (rf"\b(\d{{1,2}})\.(?=\s(?:{months})\b)", lambda m: ordinal(m[1], "de", "r")),
        (r"\b(\d{1,3})\.(?=\sJahrhundert)", lambda m: ordinal(m[1], "de", "s")),
        (r"(?<![\d:.,])([01]?\d|2[0-4])\sUhr(?:\s([0-5]?\d)\b)?", lambda m: _time(m[1], m[2] or "0", "", "de")),
        (r"(?<![\d:.,])([01]?\d|2[0-3])\.([0-5]\d)\sUhr\b", lambda m: _time(m[1], m[2], "", "de")),
        (r"\b(1[1-9]\d0|20\d0|[2-9]0)er\b", lambda m: f"{cardinal_year(m[1], 'de')}er"),
    ]


def _range(first: str, last: str, to: str) -> str:
    """The words between for a range that rises, none for a score or a telephone number (555-1234)."""
    rising = len(first) < len(last) or (len(first) == len(last) and first < last)
    telephone = len(first) == 3 and len(last) == 4
    return f"{first} {to} {last}" if rising and not telephone else f"{first} {last}"


RULES = {"en": _rules("en"), "de": _rules("de")}
