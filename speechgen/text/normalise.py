"""Written text to sayable text: Unicode, quotes, numbers, abbreviations, and scripts that a language lacks."""

import re
import unicodedata

from speechgen.errors import UserError, nearest
from speechgen.text.abbreviations import spell_abbreviations
from speechgen.text.numbers import spell_numbers

LANGUAGES = ("de", "en")
MAX_CHARACTERS = 50_000
PASSES = 4  # what one pass spells out may uncover something for the next; ordinary text needs two

PLAIN = str.maketrans(
    dict.fromkeys("‘’ʻʼ‚`´′", "'")
    | dict.fromkeys("“”„‟«»‹›″", '"')
    | dict.fromkeys("‐‑–—―−", "-")
    | {"…": "...", "¿": "", "¡": ""}
)
SCRIPTS = {"CJK": "Han", "HANGUL": "Hangul", "FULLWIDTH": "full-width", "MATHEMATICAL": "mathematical"}
# First words of the Unicode names of letters that a text in Latin script may hold.
LATIN = ("LATIN", "MODIFIER", "FEMININE", "MASCULINE", "MICRO")


def normalise(text: str, language: str) -> str:
    """Text as it is spoken: NFC, plain quotes and dashes, single spaces, numbers and abbreviations in words.

    Applying it twice changes nothing. Letters keep their case; emoji are left out. ``language`` is "en" or "de".
    Raises UserError for empty text, more than 50,000 characters, control characters, nothing to say,
    or letters of a script that the language does not write (named).
    """
    if language not in LANGUAGES:
        raise UserError(f"no text rules for language {language!r}{nearest(language, LANGUAGES)}")
    if not text.strip():
        raise UserError("the text is empty; give at least one word")
    if len(text) > MAX_CHARACTERS:
        raise UserError(f"the text has {len(text)} characters; split it into parts of at most {MAX_CHARACTERS}")
    text = clean(text)
    if foreign := foreign_letter(text):
        letter, script = foreign
        raise UserError(
            f"the text holds {letter!r} in {script} script, which {language!r} does not write; transcribe it"
        )
    for _ in range(PASSES):
        text, before = _spell(text, language), text
        if text == before:
            break
    if not any(character.isalnum() for character in text):
        raise UserError(f"the text {text[:40]!r} holds nothing to say; give at least one word")
    return text


def _spell(text: str, language: str) -> str:
    text = spell_numbers(spell_abbreviations(text, language), language)
    if language == "en":
        text = re.sub(r"(?<=[a-z]{2})\.(?=[a-z]{2})", " dot ", text)
    return " ".join("".join(" " if unicodedata.category(c) in ("So", "Sk") else c for c in text).split())


def clean(text: str) -> str:
    """NFC, plain quotes and dashes, single spaces, no invisible marks; raises UserError for control characters."""
    kept = []
    for position, character in enumerate(unicodedata.normalize("NFC", text)):
        category = unicodedata.category(character)
        if character.isspace():
            kept.append(" ")
        elif category in ("Cc", "Cs"):
            raise UserError(f"the text holds the control character U+{ord(character):04X} at {position}; remove it")
        elif category not in ("Cf", "Co", "Cn"):  # joiners, byte order marks, private use: nothing to say
            kept.append(character)
    return " ".join("".join(kept).translate(PLAIN).split())


def foreign_letter(text: str) -> tuple[str, str] | None:
    """The first letter outside Latin script with that script's name (Cyrillic, Han, Greek, ...), or None."""
    for letter in text:
        if letter.isalpha():
            script = unicodedata.name(letter, "UNKNOWN").split()[0].split("-")[0]
            if script not in LATIN:
                return letter, SCRIPTS.get(script, script.capitalize())
    return None


def characters(text: str) -> list[str]:
    """Lower-cased characters of a text, one entry each, with single spaces."""
    return list(" ".join(text.lower().split()))
