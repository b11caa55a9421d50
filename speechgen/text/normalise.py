"""Written text to sayable text: Unicode, quotes, numbers, abbreviations, and scripts that a language lacks."""

import re
import unicodedata

from speechgen.errors import UserError, nearest
from speechgen.text.abbreviations import spell_abbreviations
from speechgen.text.override import put_back, set_aside
from speechgen.text.rules import spell_addresses, spell_numbers

LANGUAGES = ("de", "en")
MAX_CHARACTERS = 50_000
PASSES = 4  # what one pass spells out may uncover something for the next; ordinary text needs two
UNENDED = re.compile(r"(?<=[\w/])([)\]'\"]*)[^\S\n]*\n\s*\n")  # a line without an end before a blank one

PLAIN = str.maketrans(
    dict.fromkeys("‘’ʻʼ‚`´′", "'")
    | dict.fromkeys("“”„‟«»‹›″", '"')
    | dict.fromkeys("‐‑–—―−", "-")
    | {"…": "...", "¿": "", "¡": ""}
)
# What a script is called where Unicode's own name for it is no help; all others are "Cyrillic script" and so on.
SCRIPTS = {
    "CJK": "Chinese characters (Han)",
    "HIRAGANA": "Japanese characters (Hiragana)",
    "KATAKANA": "Japanese characters (Katakana)",
    "HANGUL": "Korean characters (Hangul)",
    "FULLWIDTH": "full-width letters",
    "MATHEMATICAL": "mathematical letters",
}
NAMES = {"de": "German", "en": "English"}
UNSAID = ("So", "Sk")  # Unicode categories of emoji, pictures and free-standing accents
SAID_SIGNS = "°№^`´¨¯¸"  # of these categories, but read or plain punctuation
# First words of the Unicode names of letters that a text in Latin script may hold.
LATIN = ("LATIN", "MODIFIER", "FEMININE", "MASCULINE", "MICRO")


def normalise(text: str, language: str) -> str:
    """Text as it is spoken: NFC, plain quotes and dashes, single spaces, numbers and abbreviations in words.

    Applying it twice changes nothing. Letters keep their case; emoji are left out (``left_out`` lists them), and
    phonemes written as ``[word](/wɜːd/)`` stay as they are. ``language`` is "en" or "de".
    Raises UserError for empty text, more than 50,000 characters, control characters, nothing to say,
    or letters of a script that the language does not write (named).
    """
    if language not in LANGUAGES:
        raise UserError(f"no text rules for language {language!r}{nearest(language, LANGUAGES)}")
    if not text.strip():
        raise UserError("the text is empty; give at least one word")
    if len(text) > MAX_CHARACTERS:
        raise UserError(f"the text has {len(text)} characters; split it into parts of at most {MAX_CHARACTERS}")
    text, overrides = set_aside(clean(text))
    if foreign := foreign_letter(text):
        letter, script = foreign
        raise UserError(
            f"the text holds {letter!r}, {script}, which {NAMES[language]} is not written in; transcribe it"
        )
    for _ in range(PASSES):
        text, before = _spell(text, language), text
        if text == before:
            break
    if not overrides and not any(character.isalnum() for character in text):
        raise UserError(f"the text {text[:40]!r} holds nothing to say; give at least one word")
    return put_back(text, overrides)


def left_out(text: str) -> list[str]:
    """The emoji and pictures of a text, each once, which ``normalise`` leaves out."""
    return list(dict.fromkeys(c for c in text if unicodedata.category(c) in UNSAID and c not in SAID_SIGNS))


def _spell(text: str, language: str) -> str:
    text = spell_numbers(spell_abbreviations(spell_addresses(text, language), language), language)
    dot = " dot " if language == "en" else " Punkt "
    text = re.sub(r"(?<=[a-zäöüß]{2})\.(?=[a-zäöüß]{2})", dot, text)
    return " ".join("".join(" " if unicodedata.category(c) in UNSAID else c for c in text).split())


def clean(text: str) -> str:
    """NFC, plain quotes and dashes, single spaces, no invisible marks, a full stop before a blank line where a heading
    lacks one; raises UserError for control characters."""
    kept = []
    for position, character in enumerate(unicodedata.normalize("NFC", text)):
        category = unicodedata.category(character)
        if character.isspace():
            kept.append("\n" if character == "\n" else " ")
        elif category in ("Cc", "Cs"):
            raise UserError(f"the text holds the control character U+{ord(character):04X} at {position}; remove it")
        elif (
            category not in ("Cf", "Co", "Cn", "Me") and character not in "\ufe0e\ufe0f"
        ):  # joiners, byte order marks, private use: nothing to say
            kept.append(character)
    return " ".join(UNENDED.sub(r"\1. ", "".join(kept).translate(PLAIN).strip()).split())


def foreign_letter(text: str) -> tuple[str, str] | None:
    """The first letter outside Latin script with its script ("Cyrillic script", "Chinese characters"), or None."""
    for letter in text:
        if letter.isalpha():
            script = unicodedata.name(letter, "UNKNOWN").split()[0].split("-")[0]
            if script not in LATIN:
                return letter, SCRIPTS.get(script, f"{script.capitalize()} script")
    return None


def characters(text: str) -> list[str]:
    """Lower-cased characters of a text, one entry each, with single spaces."""
    return list(" ".join(text.lower().split()))
