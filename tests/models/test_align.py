"""Forced alignment: boundaries by hand, laws of frames, and what cannot be aligned."""

import numpy as np
import pytest
import torch

from speechgen.errors import UserError
from speechgen.models.align import Alignment, align, hear_phonemes
from speechgen.models.listener import Heard, Listener, ListenerConfig

RATE, HOP = 4000, 80  # 50 frames per second
PHONEMES = ["<blank>", " ", "a", "b"]


@pytest.fixture
def listener():
    config = ListenerConfig(sample_rate=RATE, mels=8, hop=HOP, width=8, blocks=1, kernel=3, phonemes=PHONEMES,
                            characters=["<blank>"], speakers=["x"])  # fmt: skip
    return Listener(config).eval()


def hears(listener: Listener, path: str) -> torch.Tensor:
    """Make a listener hear one symbol a frame, "-" for the blank; returns the audio of that length."""
    index = [0 if symbol == "-" else PHONEMES.index(symbol) for symbol in path]
    scores = torch.full((1, len(path), len(PHONEMES)), 0.01)
    scores[0, torch.arange(len(path)), index] = 1.0
    heard = Heard(scores.log().log_softmax(-1), torch.zeros(1, len(path), 1), torch.zeros(1, 1), [])
    listener.forward = lambda wave: heard
    return torch.zeros(len(path) * HOP)


def frames(alignment: Alignment) -> list[float]:
    return [round(end * 50, 6) for end in alignment.ends]


@pytest.mark.parametrize(
    ("path", "symbols", "ends"),
    [
        # a pause takes the blanks beside it, and a phoneme before one keeps a single frame of them
        ("- --a--b-- -", " ab ", [4, 6, 9, 12]),
        (" aaabbb ", " ab ", [1, 4, 7, 8]),
        ("a---b", "ab", [3, 5]),  # between phonemes blanks are halved
        ("a--b", "ab", [2, 4]),
        ("a-a", "aa", [2, 3]),
        ("--a--", "a", [5]),
    ],
)
def test_boundaries(path, symbols, ends, listener):
    wave = hears(listener, path)
    aligned = align(listener, wave, list(symbols))
    assert aligned.symbols == list(symbols)
    assert frames(aligned) == ends
    assert aligned.ends[-1] == pytest.approx(len(wave) / RATE)


def test_what_was_not_said_costs_score(listener):
    wave = hears(listener, " aaabbb ")
    right, wrong = (align(listener, wave, list(symbols)) for symbols in (" ab ", " ba "))
    assert right.score > wrong.score
    assert right.score == pytest.approx(0.0, abs=0.1)


def test_a_phoneme_that_the_listener_lacks_shares_its_neighbour_s_time(listener):
    wave = hears(listener, " aaabbb ")
    aligned = align(listener, wave, [" ", "a", "ʒ", "b", " "])
    assert frames(aligned) == [1, 4, 7, 7, 8]
    last = align(listener, hears(listener, " aaa"), [" ", "a", "ʒ"])
    assert frames(last) == [1, 4, 4]


def test_what_cannot_be_aligned_is_said(listener):
    with pytest.raises(UserError, match="knows none of these phonemes"):
        align(listener, torch.zeros(800), ["ʒ", "y"])
    with pytest.raises(UserError, match="knows none"):
        align(listener, torch.zeros(800), [])
    for samples in (0, 10, HOP, 3 * HOP):
        with pytest.raises(UserError, match="4 phonemes do not fit into"):
            align(listener, torch.zeros(samples), list(" ab "))
    with pytest.raises(UserError, match="do not fit"):  # a symbol and its twin need a blank between them
        align(listener, torch.zeros(3 * HOP), list("aab"))


def test_a_real_listener_aligns_all_of_its_audio(listener):
    wave = torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    aligned = align(listener, wave, list(" abba b "))
    assert aligned.ends == sorted(aligned.ends) and aligned.ends[-1] == pytest.approx(1.0)
    assert aligned.ends[0] > 0


def test_the_label_prior_takes_part(listener):
    wave = torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    before = align(listener, wave, list(" ab ")).score
    listener.phoneme_prior.copy_(torch.tensor([0.9, 0.05, 0.03, 0.02]))
    assert align(listener, wave, list(" ab ")).score != before


@pytest.mark.parametrize("seed", range(20))
def test_every_symbol_has_a_frame_and_all_frames_have_a_symbol(seed):
    draw = np.random.default_rng(seed)
    ends = np.sort(draw.uniform(0, 2, draw.integers(1, 30)).round(2))
    aligned = Alignment(["a"] * len(ends), [float(end) for end in ends], 0.0)
    for rate in (12.5, 50.0, 100.0):
        count = int(2 * rate) + int(draw.integers(3))
        position, durations = aligned.frames(count, rate)
        assert durations.sum() == count == len(position)
        assert (np.diff(position) >= 0).all()
        assert (np.bincount(position, minlength=len(ends)) == durations).all()
        if count >= len(ends):
            assert (durations >= 1).all()


def test_frames_follow_the_times_where_there_is_room():
    position, durations = Alignment(list("abc"), [0.1, 0.3, 0.5], 0.0).frames(25, 50.0)
    assert durations.tolist() == [5, 10, 10] and position.tolist() == [0] * 5 + [1] * 10 + [2] * 10


def test_hearing_puts_one_pause_at_either_end(listener):
    assert hear_phonemes(listener, hears(listener, "-aa-b  -a-")) == list(" ab a ")
    assert hear_phonemes(listener, hears(listener, " - a- -")) == list(" a ")
    assert hear_phonemes(listener, hears(listener, "---")) == list("  ")
