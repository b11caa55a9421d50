"""How well speech matches the phonemes that it should say, word by word, by a listener.

Which phoneme a small listener hears is often wrong, so that its free transcript tells little. Two questions it answers
well: how much worse is the asked word than whatever it would rather hear at that place (Witt and Young 2000, "goodness
of pronunciation"), and would the speech fit a text better in which a word is left out or a stretch is said twice
(a ratio of CTC likelihoods, Graves et al. 2006)?
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor

from speechgen.models.listener import BLANK, Listener
from speechgen.text.spelling import PAUSE

STRETCH_SECONDS = 0.5
LONGEST_REPEAT = 4  # words; a longer stretch said twice holds shorter ones that are
NONE = float("-inf")


@dataclass(frozen=True)
class WordMatch:
    """One word: its phonemes, where it is heard (s), and two scores in nats.

    ``score``: mean over its frames of log p(asked) - log p(best), at most 0. ``without``: what the log-likelihood of
    the whole text loses per phoneme when the word is left out; negative where the speech fits better without it.
    """

    phonemes: str
    start: float
    end: float
    score: float
    without: float


@dataclass(frozen=True)
class Match:
    """Words in order, and scores of the whole: ``score`` as of a word over all frames, ``stretch`` over the worst half
    second, which begins at ``stretch_start`` (s); ``repeat``: what the log-likelihood loses per phoneme when the
    ``repeated`` words (first, last) are said twice, for the stretch for which that is least."""

    words: list[WordMatch]
    score: float
    stretch: float
    stretch_start: float
    repeat: float
    repeated: tuple[int, int]


@torch.no_grad()
def match(listener: Listener, wave: Tensor, symbols: list[str]) -> Match | None:
    """Match (T,) speech at the listener's rate with phonemes (with " " between words).

    Phonemes that the listener does not know are skipped. None where it knows none; a match without words where the
    speech is too short for them.
    """
    numbers = {symbol: i for i, symbol in enumerate(listener.config.phonemes)}
    words = _words(symbols, numbers)
    if not words or PAUSE not in numbers:
        return None
    asked = _joined(words, numbers[PAUSE])
    repeats = sum(a == b for a, b in zip(asked, asked[1:]))
    if len(wave) // listener.config.hop < len(asked) + repeats:
        return Match([], NONE, NONE, 0.0, 0.0, (0, 0))
    scores = listener.unpeaked(listener(wave[None]).phonemes[0]).log_softmax(-1).float()
    path, along = torchaudio.functional.forced_align(
        scores[None], torch.tensor([asked], dtype=torch.int32), blank=BLANK
    )
    lost = along[0] - scores.amax(-1)
    window = min(round(STRETCH_SECONDS * listener.frame_rate), len(lost))
    stretches = lost.unfold(0, window, 1).mean(-1)
    without, repeat, repeated = _rivals(scores, words, numbers[PAUSE])
    return Match(
        _matched(path[0].numpy(), lost.numpy(), words, without, listener),
        float(lost.mean()),
        float(stretches.min()),
        int(stretches.argmin()) / listener.frame_rate,
        repeat,
        repeated,
    )


def _words(symbols: list[str], numbers: dict[str, int]) -> list[list[int]]:
    words: list[list[int]] = [[]]
    for symbol in symbols:
        if symbol == PAUSE:
            words.append([])
        elif symbol in numbers:
            words[-1].append(numbers[symbol])
    return [word for word in words if word]


def _joined(words: list[list[int]], pause: int) -> list[int]:
    return [pause, *(number for word in words for number in (*word, pause))]


def _matched(
    path: np.ndarray, lost: np.ndarray, words: list[list[int]], without: list[float], listener: Listener
) -> list[WordMatch]:
    """Each word with the frames of the path from its first phoneme to the pause after it."""
    begins = (path != BLANK) & (path != np.concatenate([[BLANK], path[:-1]]))
    place = np.cumsum(begins) - 1  # which of the symbols asked for each frame belongs to; blanks to the one before
    matched, first = [], 1  # after the pause that opens the text
    for word, loss in zip(words, without, strict=True):
        frames = np.flatnonzero((place >= first) & (place < first + len(word)))
        said = "".join(listener.config.phonemes[number] for number in word)
        start, end = frames[0] / listener.frame_rate, (frames[-1] + 1) / listener.frame_rate
        matched.append(WordMatch(said, float(start), float(end), float(lost[frames].mean()), loss))
        first += len(word) + 1
    return matched


def _rivals(scores: Tensor, words: list[list[int]], pause: int) -> tuple[list[float], float, tuple[int, int]]:
    """Per word what leaving it out loses; what the best stretch said twice loses, and its first and last word."""
    count = len(words)
    shorter = [words[:i] + words[i + 1 :] for i in range(count)] if count > 1 else []
    spans = [(i, i + n) for n in range(1, min(LONGEST_REPEAT, count) + 1) for i in range(count - n + 1)]
    longer = [words[:last] + words[first:] for first, last in spans]
    texts = [_joined(text, pause) for text in (words, *shorter, *longer)]
    lengths = torch.tensor([len(text) for text in texts])
    losses = F.ctc_loss(
        scores[:, None].expand(-1, len(texts), -1),
        torch.tensor([number for text in texts for number in text]),
        torch.full((len(texts),), len(scores)),
        lengths,
        blank=BLANK,
        reduction="none",
    )
    each = ((losses - losses[0]) / (lengths - lengths[0]).abs().clamp_min(1)).tolist()
    without = each[1 : count + 1] if shorter else [float("inf")]
    doubled = each[len(shorter) + 1 :]
    best = min(range(len(spans)), key=doubled.__getitem__)
    return without, doubled[best], (spans[best][0], spans[best][1] - 1)
