"""What a WaveNet can be told: labels of the whole recording, and log-mel frames."""

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from speechgen.audio.features import LogMel
from speechgen.config import Config
from speechgen.errors import UserError, nearest


class MelConfig(Config):
    """The log-mel frames a vocoder is told: ``hop`` and ``window`` in samples. Each frame holds for ``hop`` samples."""

    bands: PositiveInt = 80
    hop: PositiveInt = 200
    window: PositiveInt = 800


class Condition(nn.Module):
    """Labels and mel frames as one condition (B, ``width``, frames), of one frame when there is no mel."""

    def __init__(self, labels: dict[str, list[str]], mel: MelConfig | None, sample_rate: int, width: int):
        super().__init__()
        self.known, self.config, self.width = labels, mel, width if labels or mel else 0
        self.labels = nn.ModuleDict({kind: nn.Embedding(len(names), width) for kind, names in labels.items()})
        if mel:
            self.log_mel = LogMel(sample_rate, window=mel.window, hop=mel.hop, mels=mel.bands)
            around = nn.Conv1d(mel.bands, width, 3, padding=1), nn.ReLU(), nn.Conv1d(width, width, 3, padding=1)
            self.mel = nn.Sequential(*around)

    @property
    def hold(self) -> int:
        """For how many samples a frame holds."""
        return self.config.hop if self.config else 1

    def forward(self, labels: dict[str, Tensor] | None = None, mel: Tensor | None = None) -> Tensor | None:
        """labels {kind: (B,) long, -1 where unknown}, mel (B, bands, frames) -> (B, width, frames); None for nothing.

        Raises UserError for a kind of label the model does not have, for a missing or misshapen mel, and for NaN.
        """
        total = None
        for kind, ids in (labels or {}).items():
            self._check(kind)
            known = (ids >= 0).unsqueeze(-1)
            part = (self.labels[kind](ids.clamp_min(0)) * known).unsqueeze(-1)
            total = part if total is None else total + part
        if (mel is None) != (self.config is None):
            raise UserError("the model needs a mel" if mel is None else "the model takes no mel")
        if mel is not None:
            if mel.dim() != 3 or mel.shape[1] != self.config.bands:
                raise UserError(f"mel: expected (batch, {self.config.bands}, frames), not {tuple(mel.shape)}")
            if not mel.isfinite().all():
                raise UserError("mel: holds NaN or infinite values")
            # Log-mels of speech at usual levels have a mean near -5 and a deviation near 2.5 nats.
            frames = self.mel((mel + 5.0) / 2.5)
            total = frames if total is None else total + frames
        return total

    def mel_of(self, wave: Tensor) -> Tensor:
        """The log-mel frames (B, bands, ceil(T / hop)) of waves (B, T)."""
        if self.config is None:
            raise UserError("the model takes no mel")
        return self.log_mel(wave)[..., : -(-wave.shape[-1] // self.config.hop)]

    def ids(self, names: dict[str, str]) -> dict[str, Tensor]:
        """Names such as ``{"pitch": "a2"}`` as ids, each (1,) long. Raises UserError naming the valid ones."""
        for kind, name in names.items():
            self._check(kind)
            if name not in self.known[kind]:
                raise UserError(f"{kind} {name}: not one of {', '.join(self.known[kind])}")
        return {kind: torch.tensor([self.known[kind].index(name)]) for kind, name in names.items()}

    def _check(self, kind: str) -> None:
        if kind not in self.known:
            raise UserError(f"label {kind}: the model has no such label{nearest(kind, self.known)}")
