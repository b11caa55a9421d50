"""Sounds brought to one length."""

import torch
from torch import Tensor
from torch.nn import functional as F

FADE_SECONDS = 0.02


def fitted(wave: Tensor, sample_rate: int, samples: int) -> Tensor:
    """A waveform (T,) as (samples,): silence is added at its end, or the end is cut off, faded out over 20 ms."""
    if len(wave) <= samples:
        return F.pad(wave, (0, samples - len(wave)))
    fade = min(samples, round(FADE_SECONDS * sample_rate))
    cut = wave[:samples].clone()
    cut[samples - fade :] *= torch.linspace(1, 0, fade)
    return cut


def all_fitted(waves: Tensor, sample_rate: int, samples: int) -> Tensor:
    """Waveforms (N, 1, T) as (N, 1, samples), each fitted."""
    return torch.stack([fitted(wave[0], sample_rate, samples) for wave in waves]).unsqueeze(1)
