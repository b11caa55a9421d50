"""The listener: a small recogniser and speaker classifier of our own.

It aligns the corpus (so that the TTS is told which phoneme each frame belongs to), its hidden layers serve as the
codec's perceptual loss, and it measures character error rates where no outside recogniser understands the accent.
Connectionist temporal classification (Graves et al. 2006) with a label prior, which makes the alignment less peaky
(Huang et al. 2024, "Less Peaky and More Accurate CTC Forced Alignment by Label Priors").
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt, field_validator
from torch import Tensor, nn

from speechgen.audio.features import LogMel
from speechgen.config import Config
from speechgen.nn.convnext import ConvNeXtStack

BLANK = 0


class ListenerConfig(Config):
    """Sizes of the listener, and what it knows, which the corpus tells: symbol lists start with the CTC blank."""

    kind: Literal["listener"] = "listener"
    sample_rate: PositiveInt = 16000
    mels: PositiveInt = 80
    hop: int = Field(320, gt=0, multiple_of=2)
    width: PositiveInt = 256
    blocks: PositiveInt = 6
    kernel: PositiveInt = 9
    dropout: float = 0.0
    label_prior: float = 0.3
    recognition_prior: float = 0.5
    phonemes: list[str] = []
    characters: list[str] = []
    speakers: list[str] = []

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("a block sees as far ahead as back, so its kernel is odd")
        return kernel


@dataclass
class Heard:
    """What the listener makes of a batch: log-probabilities (B, T, symbols), speaker logits, hidden layers."""

    phonemes: Tensor
    characters: Tensor
    speakers: Tensor
    hidden: list[Tensor]


class Listener(nn.Module):
    """Log-mel frames -> ConvNeXt stack -> phonemes and characters (CTC) and the speaker (pooled)."""

    def __init__(self, config: ListenerConfig):
        super().__init__()
        self.config = config
        self.features = LogMel(config.sample_rate, window=2 * config.hop, hop=config.hop // 2, mels=config.mels)
        self.inlet = nn.Linear(2 * config.mels, config.width)
        self.stack = ConvNeXtStack(config.width, config.blocks, config.kernel, causal=False, dropout=config.dropout)
        self.norm = nn.LayerNorm(config.width)
        self.to_phonemes = nn.Linear(config.width, len(config.phonemes))
        self.to_characters = nn.Linear(config.width, len(config.characters))
        self.to_speakers = nn.Linear(2 * config.width, len(config.speakers))
        self.register_buffer("phoneme_prior", torch.full((len(config.phonemes),), 1 / len(config.phonemes)))

    @property
    def frame_rate(self) -> float:
        """Frames per second of every output, in Hz."""
        return self.config.sample_rate / self.config.hop

    def frames(self, wave: Tensor) -> Tensor:
        """Normalised log-mel frames, two to a step: (B, samples) -> (B, samples // hop, 2 * mels)."""
        mel = self.features(wave)
        mel = mel[..., : wave.shape[-1] // self.config.hop * 2]
        mel = (mel + 5.0) / 2.5  # speech at usual levels has a mean near -5 and a deviation near 2.5 nats
        return mel.transpose(1, 2).reshape(mel.shape[0], -1, 2 * self.config.mels)

    def hidden(self, wave: Tensor, layers: int | None = None) -> list[Tensor]:
        """The outputs of the first ``layers`` blocks, each (B, width, T)."""
        x = self.inlet(self.frames(wave)).transpose(1, 2)
        return self._blocks(x, layers)

    def forward(self, wave: Tensor, lengths: Tensor | None = None, frames: Tensor | None = None) -> Heard:
        """Listen to (B, samples), of which ``lengths`` are real; or to frames already made and perhaps masked."""
        frames = self.frames(wave) if frames is None else frames
        hidden = self._blocks(self.inlet(frames).transpose(1, 2))
        z = self.norm(hidden[-1].transpose(1, 2))
        steps = torch.arange(z.shape[1], device=z.device)
        mask = (
            torch.ones_like(z[..., :1])
            if lengths is None
            else (steps[None] < self.steps(lengths)[:, None])[..., None].to(z)
        )
        count = mask.sum(1).clamp_min(1)
        mean = (z * mask).sum(1) / count
        deviation = (((z - mean[:, None]) ** 2 * mask).sum(1) / count + 1e-5).sqrt()
        return Heard(
            F.log_softmax(self.to_phonemes(z).float(), -1),
            F.log_softmax(self.to_characters(z).float(), -1),
            self.to_speakers(torch.cat([mean, deviation], -1)).float(),
            hidden,
        )

    def steps(self, samples: Tensor) -> Tensor:
        """How many output frames so many samples give."""
        return samples // self.config.hop

    def unpeaked(self, phonemes: Tensor) -> Tensor:
        """Phoneme log-probabilities less the weighted label prior: what CTC trains on and alignment reads."""
        return phonemes - self.config.label_prior * self.phoneme_prior.clamp_min(1e-4).log()

    def recognise(self, phonemes: Tensor) -> list[int]:
        """Phoneme numbers of the best path through log-probabilities (T, symbols).

        More of the prior is taken off than in training: on dev of the starter set, 0.3 makes 80 % errors, 0.5 49 %.
        """
        return greedy(phonemes - self.config.recognition_prior * self.phoneme_prior.clamp_min(1e-4).log())

    def _blocks(self, x: Tensor, layers: int | None = None) -> list[Tensor]:
        hidden = []
        for block in self.stack.blocks[:layers]:
            x = block(x)
            hidden.append(x)
        return hidden


def greedy(scores: Tensor) -> list[int]:
    """Best path of CTC: (T, symbols) -> symbol numbers, repeats merged and blanks dropped."""
    return [i for i in torch.unique_consecutive(scores.argmax(-1)).tolist() if i != BLANK]
