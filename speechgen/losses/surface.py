"""Surface similarity: of waveforms, their short-time spectra (auraloss) and mel spectra at several window lengths; of
anything else, the values themselves."""

import auraloss
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.audio.features import LogMel
from speechgen.config import Config


class SurfaceConfig(Config):
    """A weight of 0 switches a loss off. ``mel_windows`` as in DAC (Kumar et al. 2023, section 3.4)."""

    waveform: float = 1.0
    stft: float = 0.5
    mel: float = 1.0
    stft_windows: tuple[int, ...] = (512, 1024, 2048)
    mel_windows: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)
    mel_bands: tuple[int, ...] = (10, 20, 40, 80, 80, 80)


class SurfaceLoss(nn.Module):
    """Each part alone, unweighted, in a dict: ``waveform``, ``stft``, ``mel``."""

    def __init__(self, sample_rate: int, config: SurfaceConfig):
        super().__init__()
        self.config = config
        self.stft = auraloss.freq.MultiResolutionSTFTLoss(
            fft_sizes=list(config.stft_windows),
            hop_sizes=[window // 4 for window in config.stft_windows],
            win_lengths=list(config.stft_windows),
        )
        pairs = zip(config.mel_windows, config.mel_bands, strict=True)
        self.mels = nn.ModuleList(LogMel(sample_rate, window, window // 4, bands) for window, bands in pairs)

    def forward(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Losses of (B, 1, T) against (B, 1, T), in float32 whatever the autocast."""
        with torch.autocast(made.device.type, enabled=False):
            made, real = made.float(), real.float()
            losses = {}
            if self.config.waveform:
                losses["waveform"] = F.l1_loss(made, real)
            if self.config.stft:
                losses["stft"] = self.stft(made, real)
            if self.config.mel:
                losses["mel"] = sum(F.l1_loss(mel(made[:, 0]), mel(real[:, 0])) for mel in self.mels) / len(self.mels)
            return losses

    def weights(self) -> dict[str, float]:
        """The configured weight of each part that is on."""
        return {name: getattr(self.config, name) for name in ("waveform", "stft", "mel") if getattr(self.config, name)}


class ValuesConfig(Config):
    """Weights of the mean absolute and the mean squared error; 0 switches one off."""

    absolute: float = 1.0
    squared: float = 1.0


class ValuesLoss(nn.Module):
    """Each part alone, unweighted, in a dict: ``absolute``, ``squared``."""

    def __init__(self, config: ValuesConfig):
        super().__init__()
        self.config = config

    def forward(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Losses of (B, C, ...) against (B, C, ...)."""
        parts = {"absolute": F.l1_loss, "squared": F.mse_loss}
        return {name: parts[name](made.float(), real.float()) for name in self.weights()}

    def weights(self) -> dict[str, float]:
        """The configured weight of each part that is on."""
        return {name: weight for name, weight in self.config.model_dump().items() if weight}
