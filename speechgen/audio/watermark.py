"""An inaudible mark that says "generated": a patchwork in the log spectrum, put in as speech streams and found again.

The plane of time and frequency is divided into tiles; a fixed pattern makes each a little louder or softer, and starts
anew every second (Bender et al. 1996, section 4.3; in the spectrum: Yeo and Kim 2003). The detector adds up the
levels of the tiles with the signs of the pattern, at every offset: what was said cancels, the pattern does not. It
says that there is a mark, not whose, and is kept by who means well: who knows the pattern can take it out.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from speechgen.audio.resample import resample

DEPTH_DB = 1.5  # by which a tile is louder or softer
WINDOW_SECONDS = 0.032
LOW_HZ, BAND_HZ, BANDS = 250.0, 125.0, 56  # up to 7250 Hz; 3400 Hz and less still hold half of them
TILE_FRAMES, PERIOD_TILES = 2, 32  # frames, half a window apart, in a tile; tiles until the pattern starts anew
KEY = 20260501
RATE = 16000  # Hz, that the detector listens at
MOST_DB, FLOOR_DB = 12.0, -60.0  # a level's distance from its neighbours counts so far; lower than this is silence
FALSE_ALARM = 1e-6  # chance of finding a mark where there is none, at most
PIECE_SECONDS = 10.0  # a mark is looked for in the whole and in pieces of this length


class Watermarker:
    """Marks speech block by block; what it holds back, at most 32 ms, comes with ``end``."""

    def __init__(self, sample_rate: int):
        self.hop = round(WINDOW_SECONDS / 2 * sample_rate)
        self.taper = torch.hann_window(2 * self.hop).sqrt()  # before and after: their product overlaps to one
        self.gains = _gains(2 * self.hop, sample_rate)
        self.frames = 0
        self.waiting = torch.zeros(self.hop)  # samples of frames that are not whole yet: at first the silent past
        self.tail = torch.zeros(self.hop)  # of the last frame, to which the next one adds
        self.drop = self.hop

    def __call__(self, block: Tensor) -> Tensor:
        """The marked samples that are ready, given the next (T,)."""
        samples = torch.cat([self.waiting, block])
        count = len(samples) // self.hop - 1
        if count < 1:
            self.waiting = samples
            return block[:0]
        self.waiting = samples[count * self.hop :]
        spectra = torch.fft.rfft(samples.unfold(0, 2 * self.hop, self.hop)[:count] * self.taper)
        tiles = (self.frames + torch.arange(count)) // TILE_FRAMES % PERIOD_TILES
        self.frames += count
        halves = (torch.fft.irfft(spectra * self.gains[tiles], 2 * self.hop) * self.taper).view(count, 2, self.hop)
        marked = halves[:, 0] + torch.cat([self.tail[None], halves[:-1, 1]])
        self.tail = halves[-1, 1]
        marked = marked.flatten()
        dropped = min(self.drop, len(marked))
        self.drop -= dropped
        return marked[dropped:]

    def end(self) -> Tensor:
        """The samples still held back."""
        held = len(self.waiting) - self.drop
        return self(torch.zeros(2 * self.hop))[:held]


@dataclass(frozen=True)
class Detection:
    """``chance``: at most so likely would unmarked sound look marked like this; ``start``, ``end``: the seconds in
    which the mark is clearest."""

    chance: float
    start: float
    end: float

    @property
    def found(self) -> bool:
        return self.chance <= FALSE_ALARM


def mark(wave: Tensor, sample_rate: int) -> Tensor:
    """A whole wave (T,) with the mark: what a ``Watermarker`` gives block by block."""
    watermarker = Watermarker(sample_rate)
    return torch.cat([watermarker(wave), watermarker.end()])


def detect(wave: Tensor, sample_rate: int) -> Detection:
    """Look for the mark in a wave (T,)."""
    wave = resample(wave, sample_rate, RATE)
    piece = round(PIECE_SECONDS * RATE)
    starts = range(0, max(1, len(wave) - piece // 2), piece // 2) if len(wave) > piece else []
    stretches = [(0, len(wave)), *((start, min(len(wave), start + piece)) for start in starts)]
    clearest = min((_chance(wave[a:b]), a, b) for a, b in stretches)
    return Detection(min(1.0, clearest[0] * len(stretches)), clearest[1] / RATE, clearest[2] / RATE)


def _pattern() -> Tensor:
    """(PERIOD_TILES, BANDS) of 1 and -1."""
    return torch.randint(2, (PERIOD_TILES, BANDS), generator=torch.Generator().manual_seed(KEY)) * 2.0 - 1


def _gains(window: int, sample_rate: int) -> Tensor:
    """The gain of each bin in each tile of the pattern: (PERIOD_TILES, window / 2 + 1)."""
    band = torch.fft.rfftfreq(window, 1 / sample_rate).sub(LOW_HZ).div(BAND_HZ).floor().long()
    inside = (band >= 0) & (band < BANDS)
    signs = _pattern()[:, band.clamp(0, BANDS - 1)] * inside
    return 10 ** (DEPTH_DB / 20 * signs)


def _chance(wave: Tensor) -> float:
    """A bound on the probability that unmarked sound fits the pattern, at its best offset, as well as this does."""
    levels = _levels(wave)
    steps = 2 * TILE_FRAMES  # offsets of the pattern that are tried within a tile: every quarter of a window
    period = PERIOD_TILES * steps
    if len(levels) < period // 2:
        return 1.0
    folded = pad(levels, (0, 0, 0, -len(levels) % period)).view(-1, period, BANDS).sum(0)
    # The sum over a tile that begins at each step, then that of all tiles with their signs, for each offset.
    sums = pad(folded.repeat(2, 1).cumsum(0), (0, 0, 1, 0))
    tiles = (sums[steps : steps + period] - sums[:period]).view(PERIOD_TILES, steps, BANDS)
    spectrum = torch.fft.rfft(tiles, dim=0) * torch.fft.rfft(_pattern(), dim=0).conj()[:, None]
    fits = torch.fft.irfft(spectrum, PERIOD_TILES, dim=0).sum(-1)
    score = (fits / tiles.square().sum((0, 2)).sqrt().clamp_min(1e-9)).max().item()
    # A sum of given numbers with random signs exceeds its score so often at most (Hoeffding 1963, theorem 2).
    return min(1.0, period * math.exp(-(max(0.0, score) ** 2) / 2))


def _levels(wave: Tensor) -> Tensor:
    """By how many dB each band is above its neighbours in time and frequency: (quarter windows, BANDS)."""
    window = round(WINDOW_SECONDS * RATE)
    hop = window // 4
    if len(wave) < window:
        return torch.zeros(0, BANDS)
    frames = wave.unfold(0, window, hop) * torch.hann_window(window)
    power = torch.fft.rfft(frames).abs().square()
    levels = 10 * (power + power.mean() * 10 ** (FLOOR_DB / 10) + 1e-12).log10()
    low, width = round(LOW_HZ * WINDOW_SECONDS), round(BAND_HZ * WINDOW_SECONDS)
    levels = levels[:, low : low + BANDS * width].reshape(-1, BANDS, width).mean(-1)
    around = avg_pool2d(levels[None], (7, 5), 1, (3, 2), count_include_pad=False)[0]
    return (levels - around).clamp(-MOST_DB, MOST_DB)
