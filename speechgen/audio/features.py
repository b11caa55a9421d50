"""What models see of a waveform: log-mel spectrograms and causal short-time spectra."""

import torch
import torchaudio
from torch import Tensor, nn


class LogMel(nn.Module):
    """Natural log of the mel magnitude spectrum, floored at 1e-5: (B, T) -> (B, mels, ceil-ish T / hop).

    Always float32: a bf16 spectrum loses the quiet bands.
    """

    def __init__(self, sample_rate: int, window: int, hop: int, mels: int):
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            sample_rate,
            n_fft=window,
            hop_length=hop,
            n_mels=mels,
            power=1.0,
            center=True,
            norm="slaney",
            mel_scale="slaney",
        )

    def forward(self, wave: Tensor) -> Tensor:
        with torch.autocast(wave.device.type, enabled=False):
            return self.mel(wave.float()).clamp_min(1e-5).log()
