"""What a WaveNet can be told: labels of the whole recording, the time since it began, and log-mel frames."""

import math

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from speechgen.audio.features import LogMel
from speechgen.config import Config
from speechgen.errors import UserError, nearest

TICKS, FIRST_TICK, LAST_TICK = 16, 0.01, 10.0  # bumps; seconds


class MelConfig(Config):
    """The log-mel frames a vocoder is told: ``hop`` and ``window`` in samples. Each frame holds for ``hop`` samples."""

    bands: PositiveInt = 80
    hop: PositiveInt = 200
    window: PositiveInt = 800


class Clock(nn.Module):
    """The time since a recording began: ``TICKS`` bumps over the logarithm of seconds, mapped to ``width``.

    Labels alone leave open whether a silence comes before a note or after it. Fine at the attack, coarse in the decay.
    """

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("centres", torch.linspace(math.log(FIRST_TICK), math.log(LAST_TICK), TICKS), False)
        self.out = nn.Linear(TICKS, width)

    def forward(self, seconds: Tensor) -> Tensor:
        """Seconds (B, frames) to (B, width, frames)."""
        distance = (seconds.clamp(0, LAST_TICK) + FIRST_TICK).log()[..., None] - self.centres
        return self.out((-0.5 * (distance / (self.centres[1] - self.centres[0])) ** 2).exp()).transpose(1, 2)


class Condition(nn.Module):
    """Labels, clock and mel frames as one condition (B, ``width``, frames), of one frame when there are labels only.

    ``clock``: for how many samples a reading of the clock holds, where there is no mel; None: no clock.
    """

    def __init__(
        self,
        labels: dict[str, list[str]],
        mel: MelConfig | None,
        sample_rate: int,
        width: int,
        clock: int | None = None,
    ):
        super().__init__()
        self.known, self.config, self.width = labels, mel, width if labels or mel or clock else 0
        self.clock = Clock(width) if clock else None
        self.clock_hop, self.sample_rate = clock, sample_rate
        self.labels = nn.ModuleDict({kind: nn.Embedding(len(names), width) for kind, names in labels.items()})
        if mel:
            self.log_mel = LogMel(sample_rate, window=mel.window, hop=mel.hop, mels=mel.bands)
            around = nn.Conv1d(mel.bands, width, 3, padding=1), nn.ReLU(), nn.Conv1d(width, width, 3, padding=1)
            self.mel = nn.Sequential(*around)

    @property
    def hold(self) -> int:
        """For how many samples a frame holds."""
        return self.config.hop if self.config else self.clock_hop or 1

    def times(self, samples: int, begin: int = 0) -> Tensor | None:
        """The seconds (1, frames) that the clock reads for so many samples from ``begin`` on; None: no clock."""
        if self.clock is None:
            return None
        first, last = begin // self.hold, -(-(begin + samples) // self.hold)
        return torch.arange(first, last, dtype=torch.float32)[None] * (self.hold / self.sample_rate)

    def forward(
        self, labels: dict[str, Tensor] | None = None, mel: Tensor | None = None, times: Tensor | None = None
    ) -> Tensor | None:
        """labels {kind: (B,) long, -1 where unknown}, mel (B, bands, frames), times (B, frames) in seconds
        -> (B, width, frames); None for nothing.

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
        if self.clock is not None:
            if times is None:
                raise UserError("the model needs to know for how long: it has a clock")
            read = self.clock(times.to(self.clock.centres.device))
            total = read if total is None else total + read[..., : total.shape[-1] if mel is not None else None]
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
