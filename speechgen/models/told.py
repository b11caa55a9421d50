"""What a WaveNet is told by a user, checked: how long to go on, and the spectrogram to follow."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.files import read_audio
from speechgen.errors import UserError
from speechgen.models.wavenet import WaveNet
from speechgen.models.wavenet_generate import LONGEST_SECONDS


def samples_of(model: WaveNet, seconds: float | None, frames: Tensor | None = None) -> int:
    """How many samples to make; raises UserError for a time that is missing, not positive, or too long."""
    rate = model.config.sample_rate
    if seconds is None:
        if frames is None:
            raise UserError("--seconds is missing: say how long, such as --seconds 3")
        return frames.shape[-1] * model.condition.hold
    if not math.isfinite(seconds) or seconds <= 0 or round(seconds * rate) < 1:
        raise UserError(f"--seconds {seconds:g}: must be more than 0")
    if seconds > LONGEST_SECONDS:
        raise UserError(f"--seconds {seconds:g}: at most {LONGEST_SECONDS} are made at once")
    return round(seconds * rate)


@torch.no_grad()
def frames_of_recording(model: WaveNet, path: Path, resample: bool = False) -> Tensor:
    """The log-mel frames (bands, frames) of a recording, or of the first one of a data directory.

    Raises UserError for a model that takes no mel, a recording that cannot be read, or one of another rate.
    """
    _need_mel(model, "--from")
    rate = model.config.sample_rate
    if (path / "wav.scp").exists():
        from speechgen.data.kaldi import DataDir

        path = DataDir.read(path).utterances[0].path
    wave, recorded = read_audio(path, rate if resample else None)
    if recorded != rate:
        raise UserError(f"{path}: {recorded} Hz, but the model has {rate} Hz; give --resample to convert it")
    if len(wave) <= model.config.mel.window // 2:
        raise UserError(f"{path}: {len(wave)} samples are too short for a spectrogram")
    return model.mel_of(wave[None])[0]


def frames_of_file(model: WaveNet, path: Path) -> Tensor:
    """Log-mel frames (bands, frames) from a .npy file; raises UserError for anything else, and for NaN."""
    _need_mel(model, "--mel")
    bands = model.config.mel.bands
    try:
        values = np.load(path, allow_pickle=False)
        frames = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, TypeError, AttributeError):
        raise UserError(f"{path}: is no .npy file of numbers") from None
    if frames.dim() != 2 or frames.shape[0] != bands or not frames.shape[1]:
        raise UserError(f"{path}: expected log-mel frames of shape ({bands}, frames), not {tuple(frames.shape)}")
    if not frames.isfinite().all():
        raise UserError(f"{path}: holds NaN or infinite values")
    return frames


def _need_mel(model: WaveNet, option: str) -> None:
    if not model.config.mel:
        kinds = ", ".join(model.config.labels) or "nothing"
        raise UserError(f"{option}: the model is no vocoder; it is told {kinds}")
