"""How loud a wave sounds, and making waves equally loud (ITU-R BS.1770-4, through torchaudio)."""

import math

import torch
from torch import Tensor

GATE_SECONDS = 0.4  # the standard measures blocks of this length
PEAK_LIMIT = 0.99


def loudness(wave: Tensor, sample_rate: int) -> float:
    """Loudness of float audio (T,) in LUFS: about -23 for broadcast speech, -inf for silence.

    A wave shorter than the 0.4 s that the standard measures is repeated to that length. torchaudio's filter reads
    0.27 LU less than the standard's for its reference tone, at every rate, which comparisons do not feel.
    """
    from torchaudio.functional import loudness as measure

    if wave.numel() == 0 or wave.abs().max() < 1e-7:
        return -math.inf
    repeats = math.ceil(GATE_SECONDS * sample_rate / len(wave))
    level = measure(wave.float().repeat(repeats)[None], sample_rate).item()
    return level if math.isfinite(level) else -math.inf


def match_loudness(wave: Tensor, sample_rate: int, target: float = -23.0) -> Tensor:
    """Scale a wave (T,) to ``target`` LUFS, or to a peak of 0.99 where that is less; silence stays silence."""
    level = loudness(wave, sample_rate)
    if not math.isfinite(level):
        return wave
    gain = 10 ** ((target - level) / 20)
    return wave * min(gain, PEAK_LIMIT / torch.clamp(wave.abs().max(), min=1e-7).item())
