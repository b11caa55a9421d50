"""Samples in and out: every audio file is read and written here, through soundfile."""

import io
import os
import typing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.errors import UserError, nearest

if typing.TYPE_CHECKING:
    import soundfile

# libsndfile's name of the container and of the samples, by file extension.
WRITABLE = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "OPUS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
MAX_CHANNELS = 64


class AudioError(UserError):
    """A recording that cannot be read or written; its one line names the file and the way out."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file states."""

    path: Path
    sample_rate: int  # Hz
    channels: int
    samples: int  # per channel
    format: str  # container, as libsndfile names it: WAV, FLAC, OGG, ...
    encoding: str  # PCM_16, FLOAT, OPUS, ...

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate


def read_audio(path: str | Path, sample_rate: int | None = None) -> tuple[Tensor, int]:
    """Read a recording as mono: (wave, rate), wave float32 (T,), channels averaged, about [-1, 1].

    With ``sample_rate`` (Hz) the wave is resampled to it and that rate is returned.
    Raises AudioError for a missing, empty, undecodable or not finite recording.
    """
    samples, rate = read_channels(path)
    if not len(samples):
        raise AudioError(f"{path}: holds no samples; record or export it again")
    mono = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    if not np.isfinite(mono).all():
        raise AudioError(f"{path}: holds NaN or infinite samples; export it again from the source")
    wave = torch.from_numpy(np.ascontiguousarray(mono))
    if sample_rate is None or sample_rate == rate:
        return wave, rate
    return resample(wave, rate, sample_rate), sample_rate


def read_channels(path: str | Path) -> tuple[np.ndarray, int]:
    """Read every channel as it lies in the file: (samples float32 (T, channels), rate in Hz).

    Raises AudioError when the file is missing or cannot be decoded.
    """
    with opened_audio(path) as file:
        try:
            return file.read(dtype="float32", always_2d=True), file.samplerate
        except (RuntimeError, MemoryError) as error:
            raise AudioError(
                f"{path}: breaks off while decoding ({reason_of(error)}); copy or export it again"
            ) from None


def read_audio_info(path: str | Path) -> AudioInfo:
    """Read the header of an audio file; raises AudioError when the file is missing or is no audio."""
    with opened_audio(path) as file:
        return AudioInfo(Path(path), file.samplerate, file.channels, file.frames, file.format, file.subtype)


def write_audio(path: str | Path, wave: Tensor, sample_rate: int) -> None:
    """Write mono (T,) or multi-channel (channels, T) float audio in [-1, 1]; the extension names the format.

    The file appears complete or not at all. Samples beyond [-1, 1] are clipped, as the formats demand.
    Raises AudioError for an unknown extension, samples that are not finite, or a folder that cannot be written.
    """
    import soundfile

    path = Path(path)
    container, encoding = writable(path)
    samples = wave.detach().cpu().float()
    if samples.dim() > 2 or (samples.dim() == 2 and samples.shape[0] > MAX_CHANNELS):
        raise AudioError(f"{path}: expected samples of shape (T,) or (channels, T), not {tuple(samples.shape)}")
    if not torch.isfinite(samples).all():
        raise AudioError(f"{path}: refusing to write NaN or infinite samples")
    if encoding == "OPUS" and sample_rate not in OPUS_RATES:
        raise AudioError(f"{path}: Opus has no {sample_rate} Hz; resample to one of {OPUS_RATES} or write .flac")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        soundfile.write(
            temporary, samples.clamp(-1.0, 1.0).t().numpy(), sample_rate, format=container, subtype=encoding
        )
        os.replace(temporary, path)
    except (RuntimeError, OSError) as error:
        raise AudioError(f"{path}: cannot be written ({reason_of(error)}); check the folder and the disk") from None
    finally:
        temporary.unlink(missing_ok=True)


def encode_audio(wave: Tensor, sample_rate: int, suffix: str) -> bytes:
    """Mono (T,) in [-1, 1] as the bytes of a file with this extension; resampled where Opus has no such rate."""
    import soundfile

    container, encoding = WRITABLE[suffix]
    if encoding == "OPUS" and sample_rate not in OPUS_RATES:
        rate = min((rate for rate in OPUS_RATES if rate >= sample_rate), default=OPUS_RATES[-1])
        wave, sample_rate = resample(wave, sample_rate, rate), rate
    file = io.BytesIO()
    soundfile.write(file, wave.clamp(-1.0, 1.0).numpy(), sample_rate, format=container, subtype=encoding)
    return file.getvalue()


def writable(path: str | Path) -> tuple[str, str]:
    """libsndfile's names of the container and the samples that ``write_audio`` will write, by the extension.

    Raises AudioError for an unknown extension or a folder that does not exist, before any work is done.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        raise AudioError(f"{path}: cannot write {suffix or 'a file without extension'}{nearest(suffix, WRITABLE)}")
    if not path.parent.is_dir():
        raise AudioError(f"{path}: the folder {path.parent} does not exist; make it first")
    return WRITABLE[suffix]


def opened_audio(path: str | Path) -> "soundfile.SoundFile":
    """Open an audio file for reading; raises AudioError when it is missing, empty or no audio."""
    import soundfile

    path = Path(path)
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a folder; name an audio file")
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise AudioError(f"{path}: {reason_of(error)}; check the path") from None
    if size == 0:
        raise AudioError(f"{path}: is empty (zero bytes); copy or record it again")
    try:
        return soundfile.SoundFile(path)
    except (RuntimeError, OSError) as error:
        raise AudioError(f"{path}: is no readable audio ({reason_of(error)}); convert it to WAV or FLAC") from None


def reason_of(error: Exception) -> str:
    """The bare reason out of an error of libsndfile or of the system."""
    reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(reason.split()).rstrip(".").lower() or type(error).__name__
