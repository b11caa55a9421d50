"""Change of sample rate."""

import torch
from torch import Tensor

from speechgen.errors import UserError


def resample(wave: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Resample float audio along its last axis by a band-limited filter (soxr, high quality).

    ``wave`` is (..., T); the result is (..., ceil(T * to_rate / from_rate)), float32. Rates are in Hz.
    Raises UserError for a rate that is not positive.
    """
    if from_rate <= 0 or to_rate <= 0:
        raise UserError(f"cannot resample from {from_rate} Hz to {to_rate} Hz: rates must be positive")
    if from_rate == to_rate:
        return wave.float()
    import soxr

    length = -(-wave.shape[-1] * to_rate // from_rate)
    channels = wave.reshape(-1, wave.shape[-1]).t().contiguous().numpy()
    resampled = torch.from_numpy(soxr.resample(channels.astype("float32"), from_rate, to_rate, quality="HQ")).t()
    missing = max(0, length - resampled.shape[-1])
    resampled = torch.nn.functional.pad(resampled, (0, missing))[:, :length]
    return resampled.reshape(*wave.shape[:-1], length).contiguous()
