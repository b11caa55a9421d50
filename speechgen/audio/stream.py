"""Recordings of hours, piece by piece: read and resampled, or written, in memory that does not depend on length."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.files import AudioError, opened_audio, reason_of, writable

SECONDS = 10.0


def read_pieces(path: str | Path, sample_rate: int, mix: bool = True, seconds: float = SECONDS) -> Iterator[Tensor]:
    """Pieces (channels, n) of a recording at ``sample_rate`` (Hz); joined and mixed they are what ``read_audio`` gives.

    Raises AudioError for a recording that is missing, empty, not finite, or breaks off.
    """
    import soxr

    with opened_audio(path) as file:
        rate, channels = file.samplerate, 1 if mix else file.channels
        stream = None if rate == sample_rate else soxr.ResampleStream(rate, sample_rate, channels, quality="HQ")
        came = went = 0
        while True:
            try:
                samples = file.read(int(seconds * rate), dtype="float32", always_2d=True)
            except (RuntimeError, MemoryError) as error:
                raise AudioError(
                    f"{path}: breaks off while decoding ({reason_of(error)}); copy or export it again"
                ) from None
            if not np.isfinite(samples).all():
                raise AudioError(f"{path}: holds NaN or infinite samples; export it again from the source")
            came, last = came + len(samples), not len(samples)
            samples = samples.mean(axis=1, keepdims=True) if mix and file.channels > 1 else samples
            if stream:
                samples = stream.resample_chunk(samples, last=last).reshape(-1, channels)
            if last:  # as many samples as the whole has, whatever the filter's ends gave
                missing = -(-came * sample_rate // rate) - went
                samples = np.pad(samples, ((0, max(0, missing - len(samples))), (0, 0)))[: max(0, missing)]
            went += len(samples)
            if len(samples):
                yield torch.from_numpy(np.ascontiguousarray(samples.T))
            if last:
                break
    if not came:
        raise AudioError(f"{path}: holds no samples; record or export it again")


class AudioWriter:
    """A file that grows piece by piece under a temporary name, and appears when the ``with`` block ends well."""

    def __init__(self, path: str | Path, sample_rate: int, channels: int):
        """Raises AudioError for an unknown extension or a folder that cannot be written."""
        import soundfile

        self.path = Path(path)
        container, encoding = writable(self.path)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self._file = soundfile.SoundFile(
                self._temporary, "w", sample_rate, channels, format=container, subtype=encoding
            )
        except (RuntimeError, OSError) as error:
            raise self._failed(error) from None

    def write(self, piece: Tensor) -> None:
        try:
            self._file.write(piece.clamp(-1.0, 1.0).t().numpy())
        except (RuntimeError, OSError) as error:
            raise self._failed(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._file.close()
            if kind is None:
                os.replace(self._temporary, self.path)
        except (RuntimeError, OSError) as failure:
            raise self._failed(failure) from None
        finally:
            self._temporary.unlink(missing_ok=True)

    def _failed(self, error: Exception) -> AudioError:
        return AudioError(f"{self.path}: cannot be written ({reason_of(error)}); check the folder and the disk")


class PcmPipe:
    """Bare 16-bit samples, little-endian, channels interleaved, each piece sent on at once."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def write(self, piece: Tensor) -> None:
        """The next (channels, n) in [-1, 1]."""
        samples = (piece.clamp(-1.0, 1.0).t() * 32767).round().short().contiguous()
        self._file.write(samples.numpy().astype("<i2").tobytes())
        self._file.flush()


class WavPipe(PcmPipe):
    """16-bit WAV into a pipe, which cannot go back to write the length: ``samples``, or None where nobody knows it."""

    def __init__(self, file: BinaryIO, sample_rate: int, channels: int, samples: int | None):
        super().__init__(file)
        most = 0xFFFFFFFF
        data = most if samples is None else min(2 * channels * samples, most - 36)
        whole = min(data + 36, most)
        form = struct.pack("<HHIIHH", 1, channels, sample_rate, 2 * channels * sample_rate, 2 * channels, 16)
        file.write(b"RIFF" + struct.pack("<I", whole) + b"WAVEfmt " + struct.pack("<I", 16) + form)
        file.write(b"data" + struct.pack("<I", data))
