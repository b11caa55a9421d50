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


class StreamResampler:
    """``resample`` for a mono stream: block by block, and what the filter holds back with ``end``."""

    def __init__(self, from_rate: int, to_rate: int):
        import soxr

        self._stream = None
        if from_rate != to_rate:
            self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")

    def __call__(self, block: Tensor) -> Tensor:
        """The samples that are ready, given the next (T,)."""
        return block if self._stream is None else torch.from_numpy(self._stream.resample_chunk(block.numpy()))

    def end(self) -> Tensor:
        """The samples still held back."""
        if self._stream is None:
            return torch.zeros(0)
        return torch.from_numpy(self._stream.resample_chunk(torch.zeros(0).numpy(), last=True))
