"""Long text in parts."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.errors import UserError
from speechgen.text.chunks import split_sentences


def test_sentences_are_parted():
    text = 'The first one ends here. Does the second one end? "It does, as I hope!" And the last one goes on…'
    assert split_sentences(text) == [
        "The first one ends here.",
        "Does the second one end?",
        '"It does, as I hope!"',
        "And the last one goes on…",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "Yesterday Mr. Smith and Dr. Jones of St. Ives came along.",
        "The books of J. R. R. Tolkien are sold in the U.S. and elsewhere.",
        "It weighs 3.14 kilograms and costs 1,234,567.89 dollars at least.",
        "Wir treffen uns am 3. Mai um zehn Uhr, z. B. bei Hrn. Meier.",
        "She asked for apples, pears, etc. and went home at 10:30 p.m. that day.",
    ],
)
def test_abbreviations_initials_and_numbers_end_no_sentence(sentence):
    assert split_sentences(f"{sentence} And then we all went away.") == [sentence, "And then we all went away."]


def test_a_long_sentence_is_cut_at_clauses_then_at_words():
    text = "when the rain had stopped at last, the whole village came out of the houses to look at the flooded fields"
    parts = split_sentences(text, 60)
    assert parts[0] == "when the rain had stopped at last," and " ".join(parts) == text
    assert all(len(part) <= 60 for part in parts)


def test_groups_of_digits_stay_together():
    parts = split_sentences("the whole sum of all that was paid is 10 000 000 crowns and no more than that", 43)
    assert any("10 000 000" in part for part in parts)


@pytest.mark.parametrize(
    "whole",
    [
        "two hundred and thirty-one thousand",
        "Anna Maria Louise Schmidt",
        "Dr. Smith",
        "[New York](/nuː jɔːk/)",
        "U.S. Steel",
    ],
)
def test_numbers_in_words_names_and_overrides_are_not_cut(whole):
    for before in range(1, 30):
        text = f"{'so ' * before}{whole}{' and so' * 8}"
        parts = split_sentences(text, 44)
        assert any(whole in part for part in parts) and " ".join(parts) == text


def test_one_word_joins_its_neighbour():
    text = "Yes. That is exactly what I wanted to say."
    assert split_sentences(text) == [text]


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from("ab AB 12 .,!?\"'- é"), max_size=300), longest=st.integers(20, 60))
def test_the_parts_joined_are_the_text_and_none_is_too_long(text, longest):
    parts = split_sentences(text, longest)
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")
    if all(len(word) <= longest for word in text.split()):
        assert " ".join(parts) == " ".join(text.split())
    assert all(len(part) <= longest for part in parts if re.search(r"[^\W\d]", part) and " " in part)


written = st.integers(0, 10**9).map("{:,}".format) | st.integers(0, 10**6).map(lambda number: f"{number / 100:.2f}")


@settings(max_examples=100, deadline=None)
@given(numbers=st.lists(written, min_size=1, max_size=30))
def test_numbers_are_never_cut(numbers):
    parts = split_sentences(" and ".join(numbers), 20)
    assert re.findall(r"[\d.,]*\d", " | ".join(parts)) == re.findall(r"[\d.,]*\d", " | ".join(numbers))


def test_a_word_longer_than_the_limit_is_cut_but_a_number_is_not():
    assert split_sentences("a" * 50, 20) == ["a" * 20, "a" * 20, "a" * 10]
    assert split_sentences("1" * 50, 20) == ["1" * 50]


def test_fifty_thousand_characters():
    text = "This is a sentence of some length, with a clause. " * 1000
    parts = split_sentences(text, 200)
    assert " ".join(parts) == text.strip() and len(parts) == 1000


def test_nothing_gives_no_parts():
    assert split_sentences("  \n ") == []


def test_an_impossible_limit_is_refused():
    with pytest.raises(UserError, match="at least 20"):
        split_sentences("hello", 5)
