"""Speech beside the phonemes it should say, heard by a listener whose hearing is given."""

import pytest
import torch
from torch import Tensor

from speechgen.models.listener import Heard, Listener, ListenerConfig
from speechgen.models.match import match

KNOWN = ["<blank>", " ", "a", "b", "k", "o", "t", "s"]


class Reader(Listener):
    """Hears frame by frame what is written in the samples: the number of a phoneme, over 1000."""

    def forward(self, wave: Tensor, lengths: Tensor | None = None, frames: Tensor | None = None) -> Heard:
        numbers = (wave[:, :: self.config.hop] * 1000).round().long()
        scores = torch.full((*numbers.shape, len(KNOWN)), -6.0).scatter(2, numbers[..., None], -0.1)
        return Heard(scores, scores, torch.zeros(1), [])


@pytest.fixture
def listener() -> Reader:
    return Reader(ListenerConfig(phonemes=KNOWN, characters=KNOWN, speakers=["a"])).eval()


def said(text: str, frames: int = 4) -> Tensor:
    """Audio in which every phoneme lasts so many frames, with a blank after it."""
    numbers = [number for symbol in text for number in [*[KNOWN.index(symbol)] * frames, 0]]
    return torch.tensor(numbers).repeat_interleave(320) / 1000


def test_what_is_said_fits(listener: Reader) -> None:
    found = match(listener, said(" tak bos kat "), list(" tak bos kat "))
    assert [word.phonemes for word in found.words] == ["tak", "bos", "kat"]
    assert all(word.score > -0.2 and word.without > 3 for word in found.words) and found.repeat > 3
    assert found.words[0].start == pytest.approx(0.1) and found.words[0].end == pytest.approx(0.4)
    assert found.score == pytest.approx(0, abs=0.01) == found.stretch


def test_a_missing_word_is_found(listener: Reader) -> None:
    found = match(listener, said(" tak kat ", 7), list(" tak bos kat "))
    worst = min(found.words, key=lambda word: word.without)
    assert worst.phonemes == "bos" and worst.without < -1 and worst.score < -2


def test_words_said_twice_are_found(listener: Reader) -> None:
    found = match(listener, said(" tak bos bos kat "), list(" tak bos kat "))
    assert found.repeated == (1, 1) and found.repeat < 0
    found = match(listener, said(" tak bos tak bos kat "), list(" tak bos kat "))
    assert found.repeated == (0, 1) and found.repeat < 0
    assert match(listener, said(" bos bos "), list(" bos bos ")).repeat > 1


def test_a_garbled_stretch_is_found(listener: Reader) -> None:
    wave = torch.cat([said(" tak "), said("oooooooo"), said(" bos ")])
    found = match(listener, wave, list(" tak bos "))
    assert found.stretch < -2 and 0.3 < found.stretch_start < 1.0


def test_too_short_speech_has_no_words_and_unknown_phonemes_no_match(listener: Reader) -> None:
    assert match(listener, said(" t", 1), list(" tak bos kat ")).words == []
    assert match(listener, said(" tak "), [" ", "x", "y", " "]) is None
    assert [word.phonemes for word in match(listener, said(" tak "), list(" taxk ")).words] == ["tak"]
