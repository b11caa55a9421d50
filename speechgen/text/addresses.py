"""What is spelled rather than read: e-mail addresses, web addresses, file names, telephone numbers, versions."""

import re
from collections.abc import Callable

from speechgen.text.numbers import cardinal, digits

Rule = tuple[str, Callable[[re.Match], str]]

SIGNS = {
    "en": {
        ".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", "+": "plus", ":": "colon", "=": "equals",
        "?": "question mark", "&": "and", "#": "hash", "%": "percent", "~": "tilde",
    },
    "de": {
        ".": "Punkt", "@": "at", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich", "+": "plus",
        ":": "Doppelpunkt", "=": "gleich", "?": "Fragezeichen", "&": "und", "#": "Raute", "%": "Prozent", "~": "Tilde",
    },
}  # fmt: skip
# Domains and file endings that are no words and are said letter by letter.
LETTERS = frozenset("www de uk us at ch eu io ai tv co pdf csv tsv mp html xml json gpu cpu".split())
DOMAINS = "com|org|net|edu|gov|info|dev|app|io|ai|tv|de|at|ch|eu|uk|us|fr|it|es|nl"
FILES = "pdf|txt|csv|tsv|json|xml|html|wav|flac|ogg|mp3|mp4|jpg|png|zip|py|md|yaml|docx?|xlsx?|exe"
EMAIL = r"[\w.+-]*\w@[\w-]+(?:\.[\w-]+)+"
URL = r"(?:https?://|www\.)[^\s<>\"']*[\w/]"
DOMAIN = rf"(?<![\w.@])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:{DOMAINS})\b(?:/[^\s<>\"']*\w)?(?!\.?\w)"
FILE = rf"(?<![\w.@])[\w-]+\.(?:{FILES})\b"
GROUPS = r"[ /()-]{1,2}"


def rules(language: str) -> list[Rule]:
    """Patterns of what is spelled, and how."""
    call = r"\b((?:[Cc]all|[Dd]ial)) (\d{3})\b" if language == "en" else r"\b(Notruf|wählen Sie|wähle) (\d{3})\b"
    plain = (
        rf"(?<![\w.,$€£-])(?:\(?\d{{3}}\)?{GROUPS})?\d{{3}}-\d{{4}}(?![\w-]|[.,]\d)"
        if language == "en"
        else rf"(?<![\w.,-])\(?0\d{{1,4}}\)?{GROUPS}\d{{2,}}(?:{GROUPS}\d{{2,}})*(?![\w-]|[.,:]\d)"
    )
    # In German 1.234.567 is a number and 3.5.2020 a date; otherwise three parts with full stops are a version.
    other = "" if language == "en" else r"(?!\d{1,3}(?:\.\d{3})+(?!\d)|\d\d?\.\d\d?\.(?:\d\d){1,2}(?![.\d]))"
    return [
        (EMAIL, lambda m: spelled(m[0], language)),
        (URL, lambda m: spelled(re.sub(r"^https?://", "", m[0]).rstrip("/"), language)),
        (DOMAIN, lambda m: spelled(m[0], language)),
        (FILE, lambda m: spelled(m[0], language)),
        (rf"\+\d{{1,3}}(?:{GROUPS}\d+)+(?!\d)", lambda m: telephone(m[0], language)),
        (plain, lambda m: telephone(m[0], language)),
        (call, lambda m: f"{m[1]} {digits(m[2], language)}"),
        (rf"(?<![\d.]){other}\bv?(\d+(?:\.\d+){{2,}})(?![\d.]*\d)", lambda m: _version(m[1], language)),
    ]


def spelled(address: str, language: str) -> str:
    """An address with its signs in words; what is no word letter by letter."""
    parts = re.findall(r"[^\W\d_]+|\d+|[\W_]", address)
    words = []
    for part in parts:
        if part.isdigit():
            words.append(cardinal(part, language) if len(part) <= 2 else digits(part, language))
        elif part.lower() in LETTERS:
            words.append(" ".join(part.upper()))
        else:
            words.append(SIGNS[language].get(part, part))
    return " ".join(words)


def telephone(number: str, language: str) -> str:
    """Digit by digit, with a comma where a group ends."""
    groups = ", ".join(digits(group, language) for group in re.findall(r"\d+", number))
    return f"plus {groups}" if number.startswith("+") else groups


def _version(number: str, language: str) -> str:
    parts = number.split(".")
    if len(parts) == 4:  # an internet address
        return f" {SIGNS[language]['.']} ".join(digits(part, language) for part in parts)
    point = "point" if language == "en" else "Punkt"
    return f" {point} ".join(cardinal(part, language) for part in parts)
