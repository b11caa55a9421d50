"""WaveNet (van den Oord et al. 2016): sample by sample, each drawn given all before it.

Unit: mu-law samples. Order: raster. Head: categorical, or a mixture of logistics. Optional conditions: labels of the
whole recording (pitch, articulation, speaker), the time since it began, and log-mel frames, which make it a vocoder.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.heads.base import build_head
from speechgen.heads.categorical import CategoricalHeadConfig
from speechgen.heads.logistics import LogisticsHeadConfig
from speechgen.models.wavenet_condition import Condition, MelConfig
from speechgen.nn.codes import CodeInput, smooth_table
from speechgen.nn.wavenet import WaveNetStack, dilation_cycle
from speechgen.tokenizers.mulaw import MuLaw

HEAD_DEVIATION = 0.1  # of the head's weights at the start


class WaveNetConfig(Config):
    """Sizes of a WaveNet and what it is conditioned on.

    ``cycle``: layers until the dilation starts again at 1. ``hidden``: width between skips and head.
    ``labels``: kinds of label and the names of each, e.g. ``pitch: [a1, a2]``. ``clock``: for how many samples a
    reading of the time since the start holds; none is told without it. ``condition``: width of all these together.
    """

    kind: Literal["wavenet"] = "wavenet"
    sample_rate: PositiveInt = 16000
    layers: PositiveInt = 30
    cycle: int = Field(10, ge=1, le=16)
    residual: PositiveInt = 64
    skip: PositiveInt = 64
    hidden: PositiveInt = 256
    classes: int = Field(256, ge=2, le=65536)
    head: Literal["categorical", "logistics"] = "categorical"
    mixtures: PositiveInt = 10
    labels: dict[str, list[str]] = {}
    mel: MelConfig | None = None
    clock: PositiveInt | None = None
    condition: PositiveInt = 64


class WaveNet(nn.Module):
    """The network; ``speechgen.models.wavenet_generate.generate`` makes sound with it."""

    def __init__(self, config: WaveNetConfig):
        super().__init__()
        self.config = config
        self.tokenizer = MuLaw(config.classes)
        self.input = CodeInput(config.classes, config.residual, scalar=config.head == "logistics")
        self.condition = Condition(config.labels, config.mel, config.sample_rate, config.condition, config.clock)
        dilations = dilation_cycle(config.layers, config.cycle)
        self.stack = WaveNetStack(dilations, config.residual, config.skip, self.condition.width)
        self.hidden = nn.Linear(config.skip, config.hidden)
        logistics = LogisticsHeadConfig(mixtures=config.mixtures)
        head = CategoricalHeadConfig() if config.head == "categorical" else logistics
        self.head = build_head(head, config.hidden, codebooks=1, codebook_size=config.classes)
        if config.head == "categorical":
            with torch.no_grad():
                self.head.output.weight.copy_(smooth_table(config.classes, config.hidden) * HEAD_DEVIATION)

    @property
    def receptive_field(self) -> int:
        """How many samples before it a sample depends on: those of the stack, and one more of the input's taps."""
        return self.stack.receptive_field + 1

    def losses(
        self, wave: Tensor, labels: dict[str, Tensor] | None = None, mel: Tensor | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """Negative log-likelihood of waves (B, T) in nats per sample, and facts: ``bits_per_sample``.

        labels {kind: (B,) long}, -1 where unknown; mel (B, bands, frames), made from the waves when it is not given.
        """
        if self.config.mel and mel is None:
            mel = self.mel_of(wave)
        codes = self.tokenizer.encode(wave)
        z = self(codes, self.condition(labels, mel, self.condition.times(wave.shape[-1])))
        loss = self.head.loss(z.flatten(0, 1), codes.flatten()[:, None])
        return loss, {"bits_per_sample": loss.item() / math.log(2)}

    def forward(self, codes: Tensor, condition: Tensor | None = None) -> Tensor:
        """What the head draws from: codes (B, T) -> z (B, T, hidden), where z[t] sees codes before t only.

        condition (B, C, frames): what ``self.condition`` made of labels and mel.
        """
        past = F.pad(codes, (2, 0), value=self.tokenizer.silence)
        skips = self.stack(self.input(past[:, 1:-1], past[:, :-2]).transpose(1, 2), condition, self.condition.hold)
        return self.finish(skips.transpose(1, 2))

    def finish(self, skips: Tensor) -> Tensor:
        """Skips (..., S) to the z (..., hidden) that the head reads."""
        return self.hidden(skips.relu()).relu()

    def mel_of(self, wave: Tensor) -> Tensor:
        """The log-mel frames (B, bands, ceil(T / hop)) that condition waves (B, T)."""
        return self.condition.mel_of(wave)

    def label_ids(self, names: dict[str, str]) -> dict[str, Tensor]:
        """Names such as ``{"pitch": "a2"}`` as ``losses`` takes them, each (1,) long; UserError names valid ones."""
        return self.condition.ids(names)


def build_wavenet(config: WaveNetConfig) -> WaveNet:
    """A WaveNet with fresh weights."""
    return WaveNet(config)
