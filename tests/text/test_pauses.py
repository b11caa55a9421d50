"""Rests where the text has punctuation."""

import pytest

from speechgen.text.pauses import RESTS, clauses


def test_a_text_is_divided_at_its_punctuation():
    text = 'Well, he said (quite late) - "no!" Then he left: at once; it was 3.5.'
    stretches = clauses(text)
    assert [stretch for stretch, _ in stretches] == [
        "Well,", "he said", "(quite late)", '"no!', "Then he left:", "at once;", "it was 3.5.",
    ]  # fmt: skip
    assert [rest for _, rest in stretches] == [RESTS[sign] for sign in ",(-!:;."]


@pytest.mark.parametrize("text", ["one two three", "well-known U.S.-based 3.5", "[so, well](/səʊ wɛl/)"])
def test_no_rest_inside_words_numbers_and_overrides(text):
    assert clauses(text) == [(text, 0.0)]


def test_what_says_nothing_is_left_out():
    assert clauses("- ... (!) yes") == [("yes", 0.0)]
    assert clauses("...") == []
