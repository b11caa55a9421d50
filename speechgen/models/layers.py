"""Whose hidden layers a perceptual loss compares: those of our listener, of a classifier of images, or of a model that
transformers loads. Each part maps a signal to a list of activations."""

from typing import Literal

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
