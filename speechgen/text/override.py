"""Phonemes written into a text: ``[word](/wɜːd/)`` says the word as the IPA between the slashes."""

import re

from speechgen.errors import UserError

OVERRIDE = re.compile(r"\[([^\[\]()]+)\]\(/([^/()\[\]]*)/\)")
PLACE = 0xF0000  # private-use characters stand for overrides while the rest of a text is normalised
# Phonemes of espeak-ng that are written with more than one letter, the longest first.
LONG = ("aɪə aɪɚ aʊə iːː tʃ dʒ ts pf aɪ aʊ eɪ oʊ əʊ ɔɪ ɔø ɔʏ ɪɹ ʊɹ ɛɹ ɑːɹ ɔːɹ oːɹ ɪə eə ʊə iə əl").split()
MARKS = "ːˑʲʰʷ̩̯̃̈̊̚"  # length and diacritics belong to the letter before
IGNORED = str.maketrans("", "", "ˈˌ'͡‿.|")  # stress, ties and syllable marks: the models do not use them
LETTER = re.compile(r"[^\W\d_]")


def set_aside(text: str) -> tuple[str, list[str]]:
    """The text with a private-use character in place of each override, and the overrides.

    Raises UserError for an override without phonemes or with something that is no phonetic letter.
    """
    found: list[str] = []

    def place(match: re.Match) -> str:
        phonemes(match[2], match[0])  # told now, not after the first chunks were spoken
        found.append(match[0])
        return chr(PLACE + len(found) - 1)

    return OVERRIDE.sub(place, text), found


def put_back(text: str, found: list[str]) -> str:
    """Undo ``set_aside``."""
    return re.sub(r"[\U000F0000-\U000FFFFD]", lambda match: found[ord(match[0]) - PLACE], text)


def plain(text: str) -> str:
    """The text with the written words in place of overrides."""
    return OVERRIDE.sub(lambda match: match[1], text)


def segments(text: str) -> list[tuple[str, list[str] | None]]:
    """The text in stretches: (words, None) to be phonemized, and (word, its phonemes) where they are written."""
    parts, end = [], 0
    for match in OVERRIDE.finditer(text):
        parts.append((text[end : match.start()], None))
        parts.append((match[1], phonemes(match[2], match[0])))
        end = match.end()
    parts.append((text[end:], None))
    return [(words, said) for words, said in parts if said or any(c.isalnum() for c in words)]


def phonemes(written: str, shown: str) -> list[str]:
    """IPA to phonemes, one entry each, with " " between words; ``shown`` is what an error message cites."""
    entries: list[str] = []
    for word in written.translate(IGNORED).split():
        entries += [" "] if entries else []
        position = 0
        while position < len(word):
            size = next((len(long) for long in LONG if word.startswith(long, position)), 1)
            letter = word[position : position + size]
            position += size
            while position < len(word) and word[position] in MARKS:
                letter += word[position]
                position += 1
            if not LETTER.match(letter):
                raise UserError(f"{shown}: {letter!r} is no phonetic letter; write IPA, as in [word](/wɜːd/)")
            entries.append(letter)
    if not entries:
        raise UserError(f"{shown}: holds no phonemes between the slashes; write IPA, as in [word](/wɜːd/)")
    return entries
