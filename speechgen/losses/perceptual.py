"""Perceptual similarity: distance in the hidden layers of a model that listens, ours or one from transformers."""

from typing import Literal

import torch
import torchaudio
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.models.listener import Listener


class PerceptualConfig(Config):
    """``weight`` 0 switches it off. ``model``: a listener's name or folder, or a WavLM / HuBERT folder or hub name."""

    weight: float = 0.0
    kind: Literal["listener", "transformers"] = "listener"
    model: str = "listener-16k"
    layers: tuple[int, ...] = (1, 3, 5)


class PerceptualLoss(nn.Module):
    """Mean absolute difference of hidden layers, each scaled by its own level on the real waveform."""

    def __init__(self, hidden: nn.Module, layers: tuple[int, ...]):
        super().__init__()
        self.hidden = hidden.eval().requires_grad_(False)
        self.layers = layers

    def train(self, mode: bool = True) -> "PerceptualLoss":
        return super().train(False)  # dropout in the listener would be noise in the loss

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """A scalar for (B, 1, T) against (B, 1, T)."""
        with torch.no_grad():
            targets = self.hidden(real[:, 0], max(self.layers) + 1)
        guesses = self.hidden(made[:, 0], max(self.layers) + 1)
        losses = []
        for layer in self.layers:
            target = targets[layer].float()
            losses.append((guesses[layer].float() - target).abs().mean() / target.abs().mean().clamp_min(1e-5))
        return sum(losses) / len(losses)


class ListenerLayers(nn.Module):
    """Our listener's hidden layers of a waveform at the given rate: (B, T) -> list of (B, C, T')."""

    def __init__(self, listener: Listener, sample_rate: int):
        super().__init__()
        self.listener = listener
        self.resample = torchaudio.transforms.Resample(sample_rate, listener.config.sample_rate)

    def forward(self, wave: Tensor, layers: int) -> list[Tensor]:
        return self.listener.hidden(self.resample(wave), layers)


class TransformersLayers(nn.Module):
    """Hidden layers of a self-supervised speech model (WavLM, HuBERT, wav2vec 2.0) loaded by transformers."""

    def __init__(self, name: str, sample_rate: int):
        super().__init__()
        from transformers import AutoModel

        try:
            self.model = AutoModel.from_pretrained(name, use_safetensors=True)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{name}: no WavLM or HuBERT weights there ({' '.join(str(error).split())[:100]})"
            ) from None
        self.resample = torchaudio.transforms.Resample(sample_rate, 16000)

    def forward(self, wave: Tensor, layers: int) -> list[Tensor]:
        wave = self.resample(wave)
        wave = (wave - wave.mean(-1, keepdim=True)) / (wave.std(-1, keepdim=True) + 1e-5)
        return list(self.model(wave, output_hidden_states=True).hidden_states[1 : layers + 1])
