"""The fundamental frequency (F0) of speech."""

import warnings

import numpy as np
from torch import Tensor

from speechgen.audio.resample import resample

RATE = 16000  # Hz, that pitch is looked for at
LOWEST, HIGHEST = 60.0, 500.0  # Hz; from low men to children
FRAME, HOP = 1024, 160  # samples: 64 ms every 10 ms


def pitch_track(wave: Tensor, sample_rate: int) -> np.ndarray:
    """F0 in Hz of (T,), a frame every 10 ms, NaN where it is unvoiced (pYIN; Mauch and Dixon 2014)."""
    import librosa

    samples = resample(wave, sample_rate, RATE).numpy()
    if len(samples) < FRAME or not samples.any():
        return np.full(1 + len(samples) // HOP, np.nan)
    with warnings.catch_warnings():  # of frames that are all zero
        warnings.simplefilter("ignore")
        track, voiced, _ = librosa.pyin(samples, fmin=LOWEST, fmax=HIGHEST, sr=RATE, frame_length=FRAME, hop_length=HOP)
    return np.where(voiced, track, np.nan)
