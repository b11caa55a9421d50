"""Perceptual similarity: distance in the hidden layers of a model that listens or looks, ours or a foreign one."""

from typing import Literal

import torch
import torchaudio
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.models.classifier import ImageClassifier
from speechgen.models.listener import Listener


class PerceptualConfig(Config):
    """``weight`` 0 switches it off. ``model``: name or folder of a listener or a classifier, or folder or hub name
    of WavLM or HuBERT."""

    weight: float = 0.0
    kind: Literal["listener", "transformers", "classifier"] = "listener"
    model: str = "listener-16k"
    layers: tuple[int, ...] = (1, 3, 5)


class PerceptualLoss(nn.Module):
    """Mean absolute difference of hidden layers, each scaled by its own level on the real signal."""

    def __init__(self, hidden: nn.Module, layers: tuple[int, ...]):
        super().__init__()
        self.hidden = hidden.eval().requires_grad_(False)
        self.layers = layers

    def train(self, mode: bool = True) -> "PerceptualLoss":
        return super().train(False)  # dropout in the listener would be noise in the loss

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """A scalar for (B, C, ...) against (B, C, ...)."""
        with torch.no_grad():
            targets = self.hidden(real, max(self.layers) + 1)
        guesses = self.hidden(made, max(self.layers) + 1)
        losses = []
        for layer in self.layers:
            target = targets[layer].float()
            losses.append((guesses[layer].float() - target).abs().mean() / target.abs().mean().clamp_min(1e-5))
        return sum(losses) / len(losses)


class ListenerLayers(nn.Module):
    """Our listener's hidden layers of a waveform at the given rate: (B, 1, T) -> list of (B, C, T')."""

    def __init__(self, listener: Listener, sample_rate: int):
        super().__init__()
        self.listener = listener
        self.resample = torchaudio.transforms.Resample(sample_rate, listener.config.sample_rate)

    def forward(self, wave: Tensor, layers: int) -> list[Tensor]:
        return self.listener.hidden(self.resample(wave[:, 0]), layers)


class ClassifierLayers(nn.Module):
    """An image classifier's hidden layers: (B, C, H, W) -> list of (B, C', H', W')."""

    def __init__(self, classifier: ImageClassifier):
        super().__init__()
        self.encoder = classifier.encoder

    def forward(self, images: Tensor, layers: int) -> list[Tensor]:
        hidden = []
        for layer in self.encoder.layers[:layers]:
            images = layer(images)
            hidden.append(images)
        return hidden


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
        wave = self.resample(wave[:, 0])
        wave = (wave - wave.mean(-1, keepdim=True)) / (wave.std(-1, keepdim=True) + 1e-5)
        return list(self.model(wave, output_hidden_states=True).hidden_states[1 : layers + 1])
