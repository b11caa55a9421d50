"""Phonemes by espeak-ng."""

import sys

import pytest

from speechgen.errors import UserError
from speechgen.text import phonemes
from speechgen.text.phonemes import phonemize, phonemize_many

pytest.importorskip("espeakng_loader", reason="the [g2p] extra is not installed")


def test_english_words_are_split_into_phonemes():
    assert phonemize("She judges.", "en") == ["ʃ", "iː", " ", "dʒ", "ʌ", "dʒ", "ᵻ", "z"]


def test_german_words_are_split_into_phonemes():
    assert phonemize("Zeit für Bäume", "de")[:6] == ["ts", "aɪ", "t", " ", "f", "yː"]


@pytest.mark.parametrize("language", ["en", "de"])
def test_many_at_once_are_as_one_by_one(language):
    texts = ["Good morning, world.", "Nr. 5", '(No) "sorry" - what?', "a"]
    assert phonemize_many(texts, language) == [phonemize(text, language) for text in texts]


def test_no_texts_are_no_phonemes():
    assert phonemize_many([], "en") == []


def test_numbers_are_said_as_their_words():
    assert phonemize("5 apples", "en") == phonemize("five apples", "en")


def test_spaces_stand_between_words_only_and_punctuation_is_silent():
    said = phonemize("  Well -- yes, (indeed)!  ", "en")
    assert said == phonemize("well yes indeed", "en")
    assert said[0] != " " and said[-1] != " " and [" ", " "] not in [said[i : i + 2] for i in range(len(said))]


def test_written_phonemes_are_said_as_they_are():
    said = phonemize("Call [Nguyen](/ˈwɪn/) at five.", "en")
    assert said == [*phonemize("call", "en"), " ", "w", "ɪ", "n", " ", *phonemize("at five", "en")]
    assert phonemize("[judges](/ˈd͡ʒʌdʒᵻz t͡saɪt/)", "en") == ["dʒ", "ʌ", "dʒ", "ᵻ", "z", " ", "ts", "aɪ", "t"]


def test_stress_marks_are_dropped_unless_asked_for():
    assert not any(mark in phoneme for phoneme in phonemize("banana", "en") for mark in "ˈˌ")
    assert any("ˈ" in phoneme for phoneme in phonemize("banana", "en", stress=True))


def test_words_of_another_language_leave_no_flags():
    assert not any("(" in phoneme or ")" in phoneme for phoneme in phonemize("Das Meeting im Café", "de"))


@pytest.mark.parametrize(
    "text, language, told", [("", "en", "empty"), ("Привет", "en", "Cyrillic"), ("hello", "eng", "did you mean 'en'")]
)
def test_what_cannot_be_said_is_refused(text, language, told):
    with pytest.raises(UserError, match=told):
        phonemize(text, language)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    phonemes._backend.cache_clear()
    with pytest.raises(UserError, match=r"speechgen\[g2p\]"):
        phonemize("hello", "en")
