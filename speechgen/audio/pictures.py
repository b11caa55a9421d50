"""Spectrograms to look at."""

import numpy as np
from torch import Tensor

from speechgen.audio.features import LogMel


def spectrogram_pair(real: Tensor, made: Tensor, sample_rate: int) -> np.ndarray:
    """Log-mel spectrograms of two waveforms (T,), one above the other: uint8 (H, W, 3)."""
    from matplotlib import colormaps

    mel = LogMel(sample_rate, 1024, 256, 80)
    rows = [mel(wave[None])[0].flip(0).numpy() for wave in (real, made)]
    stacked = np.concatenate(rows, axis=0)
    scaled = (np.clip(stacked, -9.0, 2.0) + 9.0) / 11.0
    return (colormaps["magma"](scaled)[..., :3] * 255).astype(np.uint8)
