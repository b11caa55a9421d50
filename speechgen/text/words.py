"""Captions as words: lower case, letters and digits only."""

import re


def words_of(caption: str) -> list[str]:
    """The words of a caption, in order: ``"T-shirt (blue)"`` is t, shirt, blue."""
    return re.findall(r"[^\W_]+", caption.lower())
