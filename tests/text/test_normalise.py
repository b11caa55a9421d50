"""Written text to sayable text."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.errors import UserError
from speechgen.text.normalise import characters, normalise

SAID = {
    "en": {
        "1 word": "one word",
        "It cost $5.50 or €1.": "It cost five dollars fifty or one euro.",
        "£0.99 and $3.5 million": "ninety-nine pence and three point five million dollars",
        "3.14% of 1,234": "three point one four percent of one thousand two hundred and thirty-four",
        "In 1984, 1905 and 2010": "In nineteen eighty-four, nineteen oh five and twenty ten",
        "the 1980s and '90s": "the nineteen eighties and nineties",
        "the 1st, 22nd and 1,000th": "the first, twenty-second and one thousandth",
        "At 10:05 a.m. or 5 pm.": "At ten oh five A M or five P M.",
        "at 10:00 or 12:30pm": "at ten o'clock or twelve thirty P M",
        "5-10 km at 20 km/h": "five to ten kilometers at twenty kilometers per hour",
        "-5 °C": "minus five degrees Celsius",
        "agent 007": "agent zero zero seven",
        "12345678901234567890": "one two three four five six seven eight nine zero " * 2,
        "555-1234": "five hundred and fifty-five twelve thirty-four",
        "½ of 3/4": "one half of three quarters",
        "2020-05-03": "May third twenty twenty",
        "Dr. Smith met Mr. Jones, etc.": "Doctor Smith met Mister Jones, et cetera.",
        "mr brown": "mister brown",
        "St. John of Main St.": "Saint John of Main Street.",
        "No. 5, e.g. this": "Number five, for example this",
        "No. That is wrong.": "No. That is wrong.",
        "R2 & B2B": "R two and B two B",
        "see example.com": "see example dot com",
        "“Smart” ‘quotes’ – and… dashes": "\"Smart\" 'quotes' - and... dashes",
        "tab\tand\nline  break": "tab and line break",
        "zero\u200bwidth \ufeffmarks": "zerowidth marks",
        "cafe\u0301": "café",
        "wow 😀!": "wow!",
        "٣ of １２": "three of twelve",
        "Ⅷ": "VIII",
    },
    "de": {
        "Es kostet 5,50 € oder 1 €.": "Es kostet fünf Euro fünfzig oder ein Euro.",
        "3,14 % von 1.234": "drei Komma eins vier Prozent von eintausendzweihundertvierunddreißig",
        "1984 und 2010": "neunzehnhundertvierundachtzig und zweitausendzehn",
        "Am 3. Mai, der 21. Tag": "Am dritten Mai, der einundzwanzigste Tag",
        "am 3.5.2020": "am dritten Mai zweitausendzwanzig",
        "im 19. Jahrhundert": "im neunzehnten Jahrhundert",
        "Ich habe 5. Du 6!": "Ich habe fünf. Du sechs!",
        "um 10:05 Uhr, um 8 Uhr und um 1 Uhr": "um zehn Uhr fünf, um acht Uhr und um ein Uhr",
        "um 14.30 Uhr": "um vierzehn Uhr dreißig",
        "Dr. Müller, z. B. bzw. usw.": "Doktor Müller, zum Beispiel beziehungsweise und so weiter.",
        "Nr. 7 & 5-10": "Nummer sieben und fünf bis zehn",
        "die 80er": "die achtziger",
        "„Gänsefüßchen“": '"Gänsefüßchen"',
    },
}


@pytest.mark.parametrize("language, written", [(language, text) for language in SAID for text in SAID[language]])
def test_what_is_written_is_said(language, written):
    assert normalise(written, language) == SAID[language][written].strip()


alphabet = st.sampled_from("abzABZäöüß 0123456789 .,:;-/%$€£#&+=°²½' \"()kmgCstndrhpPA_*UhrⅧ١")


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
        ("Hello мир", "en", "Cyrillic"),
        ("你好", "de", "Han"),
        ("こんにちは", "en", "Hiragana"),
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


def test_characters_are_lower_case_with_single_spaces():
    assert characters(" Ärger  am\nMarkt ") == list("ärger am markt")
