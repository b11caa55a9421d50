"""Roman numerals to words, only where nothing else can be meant: after names of rulers, and after words that count."""

import re

from speechgen.text.addresses import Rule
from speechgen.text.numbers import cardinal, ordinal

NUMERAL = r"(?=[IVXLC])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"  # 1 to 89, and 90 to 99
VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
COUNTING = {
    "en": "Chapter|Part|Volume|Act|Scene|Section|Book|Phase|Article|Appendix|Type|Class|Level|Stage|Grade|Figure|Table"
    "|World War|Super Bowl",
    "de": "Kapitel|Teil|Band|Akt|Szene|Abschnitt|Buch|Phase|Artikel|Anhang|Klasse|Stufe|Tabelle|Abbildung",
}
RULERS = {
    "en": "Henry|Louis|Charles|George|Edward|Elizabeth|James|William|Richard|Philip|Frederick|Napoleon|Pius|Benedict"
    "|Leo|John Paul|Gregory|Innocent|Catherine|Alexander|Nicholas|Francis|Peter|Mary|Ramses|Otto",
    "de": "Heinrich|Ludwig|Karl|Georg|Eduard|Friedrich|Friedrich Wilhelm|Wilhelm|Otto|Franz|Joseph|Leopold|Maximilian"
    "|Elisabeth|Katharina|Alexander|Nikolaus|Peter|Pius|Benedikt|Leo|Johannes Paul|Gregor|Napoleon|Philipp|Ramses",
}
WOMEN = ("Elisabeth", "Katharina")


def rules(language: str) -> list[Rule]:
    """Patterns of Roman numerals, and what to say."""
    # A single I after an English name may be the speaker: "Charles I think".
    after_name = (
        rf"(?!I\b(?!\s?(?:[,.;:)]|of\b|was\b|$)))({NUMERAL})\b" if language == "en" else rf"({NUMERAL})\.(?!\w)"
    )
    found: list[Rule] = [
        (rf"\b((?i:{COUNTING[language]})) ({NUMERAL})\b", lambda m: f"{m[1]} {cardinal(str(value(m[2])), language)}"),
        (
            rf"\b({RULERS[language]}) {after_name}",
            lambda m: f"{m[1]} {_ruler(m[1], m[2], language)}{_stop(m, language)}",
        ),
    ]
    if language == "de":
        found.append((rf"\b({NUMERAL})\.(?=\sJahrhundert)", lambda m: f"{value(m[1])}."))
    else:
        found.append((rf"\b({NUMERAL})(?:st|nd|rd|th)?(?=\s[Cc]entur)", lambda m: ordinal(str(value(m[1])), "en")))
    return found


def value(numeral: str) -> int:
    """The number that a Roman numeral stands for."""
    figures = [VALUES[letter] for letter in numeral]
    return sum(-n if n < following else n for n, following in zip(figures, [*figures[1:], 0]))


def _ruler(name: str, numeral: str, language: str) -> str:
    number = str(value(numeral))
    if language == "en":
        return f"the {ordinal(number, 'en').capitalize()}"
    return f"{'die' if name in WOMEN else 'der'} {ordinal(number, 'de').capitalize()}"


def _stop(m: re.Match, language: str) -> str:
    """The full stop of a German ordinal ends the text as well where it is the last character."""
    return "." if language == "de" and m.end() == len(m.string) else ""
