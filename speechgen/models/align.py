"""Forced alignment by the listener: when is each phoneme said?"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torchaudio
from torch import Tensor

from speechgen.errors import UserError
from speechgen.models.listener import BLANK, Listener
from speechgen.text.spelling import PAUSE


@dataclass(frozen=True)
class Alignment:
    """Symbols in order, the second at which each ends, and the mean log-probability of the path per frame."""

    symbols: list[str]
    ends: list[float]
    score: float

    def frames(self, count: int, frame_rate: float) -> tuple[np.ndarray, np.ndarray]:
        """For ``count`` frames at a rate in Hz: the position in ``symbols`` of each frame, and each symbol's frames.

        Every symbol keeps at least one frame where there are enough; the last one takes what is left over.
        """
        ends = np.minimum(np.round(np.asarray(self.ends) * frame_rate).astype(int), count)
        ends[-1] = count
        # A symbol shorter than a frame borrows one from its neighbours: first push ends up, then back down.
        if count >= len(ends):
            for i in range(len(ends)):
                ends[i] = max(ends[i], (ends[i - 1] if i else 0) + 1)
            for i in range(len(ends) - 1, -1, -1):
                ends[i] = min(ends[i], count - (len(ends) - 1 - i))
        durations = np.diff(ends, prepend=0)
        return np.repeat(np.arange(len(ends)), durations), durations

    def at_speed(self, speed: float) -> "Alignment":
        """The alignment of the same recording played at another speed, 2 being twice as fast."""
        return replace(self, ends=[end / speed for end in self.ends])


@torch.no_grad()
def align(listener: Listener, wave: Tensor, symbols: list[str]) -> Alignment:
    """Align (T,) audio at the listener's rate to phonemes (with " " for pauses).

    Phonemes that the listener does not know are skipped in the search and share their neighbour's time.
    Raises UserError when the text is too long for the audio.
    """
    index = {symbol: i for i, symbol in enumerate(listener.config.phonemes)}
    known = [i for i, symbol in enumerate(symbols) if symbol in index]
    if not known:
        raise UserError("nothing to align: the listener knows none of these phonemes")
    targets = torch.tensor([[index[symbols[i]] for i in known]], dtype=torch.int32)
    repeats = int((targets[0, 1:] == targets[0, :-1]).sum())
    if len(wave) // listener.config.hop < max(2, len(known) + repeats):
        seconds = len(wave) / listener.config.sample_rate
        raise UserError(f"{len(symbols)} phonemes do not fit into {seconds:.2f} seconds")
    scores = listener.unpeaked(listener(wave[None]).phonemes).log_softmax(-1)
    path, path_scores = torchaudio.functional.forced_align(scores.float().cpu(), targets, blank=BLANK)
    ends = _ends(path[0].numpy(), len(known), [symbols[i] for i in known])
    times = np.full(len(symbols), np.nan)
    times[known] = ends / listener.frame_rate
    for i in range(len(symbols) - 2, -1, -1):  # an unknown phoneme ends where the next one does
        if np.isnan(times[i]):
            times[i] = times[i + 1]
    times = np.where(np.isnan(times), len(wave) / listener.config.sample_rate, times)
    return Alignment(symbols, [float(t) for t in times], float(path_scores.mean()))


@torch.no_grad()
def hear_phonemes(listener: Listener, wave: Tensor) -> list[str]:
    """The phonemes that a listener hears in (T,) audio at its rate, opened and closed by the pause symbol " "."""
    heard = listener.recognise(listener(wave[None]).phonemes[0])
    symbols = [listener.config.phonemes[i] for i in heard]
    said = [i for i, symbol in enumerate(symbols) if symbol != PAUSE]
    return [PAUSE, *(symbols[said[0] : said[-1] + 1] if said else []), PAUSE]


def _ends(path: np.ndarray, count: int, symbols: list[str]) -> np.ndarray:
    """The frame at which each symbol of a CTC path ends. Blanks beside a pause are the pause's; others are split."""
    starts, lasts, previous = [], [], BLANK
    for t, label in enumerate(path):
        if label != BLANK and label != previous:
            starts.append(t)
            lasts.append(t)
        elif label != BLANK:
            lasts[-1] = t
        previous = label
    assert len(starts) == count, f"{len(starts)} symbols on the path, {count} asked for"
    ends = np.empty(count, dtype=int)
    for i in range(count - 1):
        gap_start, gap_end = lasts[i] + 1, starts[i + 1]
        if symbols[i] == " ":
            ends[i] = gap_end
        elif symbols[i + 1] == " ":
            ends[i] = min(gap_start + 1, gap_end)
        else:
            ends[i] = (gap_start + gap_end + 1) // 2
    ends[-1] = len(path)
    return ends
