"""Numbers in digits to words, by num2words."""

import re


def spell_numbers(text: str, language: str) -> str:
    """Replace whole and decimal numbers by their words in ``language`` ("en" or "de")."""
    from num2words import num2words

    return re.sub(r"\d+", lambda digits: f" {num2words(int(digits[0]), lang=language)} ", text)
