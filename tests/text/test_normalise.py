"""Written text to sayable text."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.errors import UserError
from speechgen.text.normalise import characters, left_out, normalise

TABLE = Path(__file__).with_name("spoken.tsv")
SPOKEN = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
UNICODE = [
    ("en", "“Smart” ‘quotes’ – and… dashes", "\"Smart\" 'quotes' - and... dashes"),
    ("en", "tab\tand\nline  break", "tab and line break"),
    ("en", "zero\u200bwidth \ufeffmarks", "zerowidth marks"),
    ("en", "cafe\u0301", "café"),
    ("en", "wow 😀! I ❤️ it 👍🏽", "wow! I it"),
    ("en", "٣ of １２", "three of twelve"),
    ("en", "Ⅷ", "VIII"),
    ("de", "„Gänsefüßchen“", '"Gänsefüßchen"'),
]


def test_the_table_is_large_enough_for_both_languages():
    for language, least in {"en": 100, "de": 80}.items():
        assert len({written for code, written, _ in SPOKEN if code == language}) >= least


@pytest.mark.parametrize("language, written, said", [*SPOKEN, *UNICODE])
def test_what_is_written_is_said(language, written, said):
    assert normalise(written, language) == said


def test_emoji_are_left_out_and_named():
    assert left_out("I ❤️ you 😀😀 at 5° №1") == ["❤", "😀"]
    assert normalise("I ❤️ you 😀", "en") == "I you"


def test_written_phonemes_stay_as_they_are():
    text = "Dr. [Nguyen](/wɪn/) paid $5 for 3 [θ](/ˈθiːtə/)."
    said = "Doctor [Nguyen](/wɪn/) paid five dollars for three [θ](/ˈθiːtə/)."
    assert normalise(text, "en") == said and normalise(said, "en") == said


@pytest.mark.parametrize("wrong", ["[word](//)", "[word](/ˈ/)", "[word](/w5d/)", "[word](/a+b/)"])
def test_phonemes_that_are_none_are_refused(wrong):
    with pytest.raises(UserError, match="write IPA") as error:
        normalise(f"the {wrong}", "en")
    assert wrong in str(error.value)


alphabet = st.sampled_from("abzABZäöüß 0123456789 .,:;-/%$€£#&+=°²½' \"()kmgCstndrhpPA_*UhrⅧ١@^x~<>IVXe")


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet, max_size=30) | st.text(max_size=20), language=st.sampled_from(["en", "de"]))
def test_no_digit_is_left_and_a_second_time_changes_nothing(text, language):
    try:
        said = normalise(text, language)
    except UserError:
        return
    assert not re.search(r"\d", said)
    assert normalise(said, language) == said


@pytest.mark.parametrize(
    "text, language, told",
    [
        ("", "en", "empty"),
        (" \n\t ", "en", "empty"),
        ("?!...", "en", "nothing to say"),
        ("😀", "en", "nothing to say"),
        ("bell\x07", "en", "U.0007"),
        ("null\x00", "de", "U.0000"),
        ("Hello мир", "en", "Cyrillic script"),
        ("안녕", "en", "Korean characters"),
        ("你好", "de", "Chinese characters"),
        ("こんにちは", "en", "Japanese characters"),
        ("Γειά", "en", "Greek"),
        ("مرحبا", "de", "Arabic"),
        ("a" * 50_001, "en", "50001 characters"),
        ("hello", "fr", "'fr'.*de, en"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(text, language, told):
    with pytest.raises(UserError, match=told) as error:
        normalise(text, language)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_fifty_thousand_characters_take_seconds_at_most():
    text = ("In 1984, Dr. Smith paid $5.50 for it. " * 2000)[:50_000]
    start = time.process_time()
    assert normalise(text, "en").count("nineteen eighty-four") == text.count("1984")
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "written, said",
    [
        ("The Wreck\n\nIt was late.", "The Wreck. It was late."),
        ("'The Wreck' \r\n \r\nIt was late.", "'The Wreck'. It was late."),
        ("[Fox](/fɑːks/)\n\n\nIt was late.", "[Fox](/fɑːks/). It was late."),
        ("Is it late?\n\nIt is.\n\n", "Is it late? It is."),
        ("It was\nlate.", "It was late."),
        ("The end" + "\n" * 40_000, "The end"),
    ],
)
def test_a_heading_ends_at_a_blank_line(written, said):
    assert normalise(written, "en") == said


def test_characters_are_lower_case_with_single_spaces():
    assert characters(" Ärger  am\nMarkt ") == list("ärger am markt")
