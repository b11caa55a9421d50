"""Written text to sayable text: Unicode, quotes, control characters, and scripts that a language lacks."""

import re
import unicodedata

from speechgen.errors import UserError, nearest
from speechgen.text.numbers import spell_numbers

LANGUAGES = ("de", "en")
MAX_CHARACTERS = 50_000

QUOTES = str.maketrans(
    {"‘": "'", "’": "'", "ʻ": "'", "ʼ": "'", "‚": "'", "`": "'", "´": "'", "′": "'"}
    | dict.fromkeys("“”„‟«»‹›″", '"')
    | dict.fromkeys("–—―−", "-")
    | {"…": "..."}
)


def normalise(text: str, language: str) -> str:
    """Text as it is spoken: NFC, plain quotes and dashes, single spaces, numbers and abbreviations in words.

    Applying it twice changes nothing. Letters keep their case. ``language`` is "en" or "de".
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
    foreign = foreign_script(text)
    if foreign:
        letter, script = foreign
        raise UserError(f"the text holds {letter!r} in {script} script, which {language!r} does not write; transcribe it")
    text = " ".join(spell_numbers(text, language).split())
    if not any(character.isalnum() for character in text):
        raise UserError(f"the text {text[:40]!r} holds nothing to say; give at least one word")
    return text


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
    return " ".join("".join(kept).translate(QUOTES).split())


def foreign_script(text: str) -> tuple[str, str] | None:
    """The first letter outside Latin script with that script's name (CYRILLIC, CJK, GREEK, ...), or None."""
    for letter in text:
        if letter.isalpha():
            script = unicodedata.name(letter, "UNKNOWN").split()[0]
            if script not in ("LATIN", "MODIFIER", "FEMININE", "MASCULINE", "MICRO"):
                return letter, {"CJK": "Han"}.get(script, script.capitalize())
    return None


def characters(text: str) -> list[str]:
    """Lower-cased characters of a text, one entry each, with single spaces."""
    return list(re.sub(r"\s+", " ", text.strip()).lower())
