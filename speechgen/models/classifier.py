"""Small classifiers of images, clips and sounds: they tell whether a generated one can be recognised, and lend their
features to the Frechet distance. They are trained apart from what they judge, and know no tokenizer."""

from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from speechgen.audio.features import LogMel
from speechgen.config import Config
from speechgen.nn.grid import GridEncoder, Strides

POOLS = {2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


class ImageFeaturesConfig(Config):
    """``features``: numbers that describe an image."""

    side: int = Field(28, gt=0)
    channels: int = Field(1, gt=0)
    width: int = Field(32, gt=0)
    blocks: int = Field(1, ge=0)
    strides: tuple[int, ...] = (2, 2)
    features: int = Field(64, gt=1)
    dropout: float = Field(0.2, ge=0, lt=1)


class ImageClassifierConfig(ImageFeaturesConfig):
    """The data fills in the ``labels``."""

    kind: Literal["image-classifier"] = "image-classifier"
    labels: list[str] = []


class VideoClassifierConfig(Config):
    """``strides`` over time and space; the rest is as of images."""

    kind: Literal["video-classifier"] = "video-classifier"
    frames: int = Field(8, gt=0)
    side: int = Field(32, gt=0)
    channels: int = Field(1, gt=0)
    width: int = Field(24, gt=0)
    blocks: int = Field(1, ge=0)
    strides: tuple[tuple[int, int], ...] = ((2, 2), (2, 2))
    features: int = Field(64, gt=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    labels: list[str] = []


class SoundClassifierConfig(Config):
    """Sounds of so many ``seconds`` at a rate in Hz, seen as log-mel spectrograms; ``window``, ``hop`` in samples."""

    kind: Literal["sound-classifier"] = "sound-classifier"
    sample_rate: int = Field(16000, gt=0)
    seconds: float = Field(1.0, gt=0)
    mels: int = Field(40, gt=0)
    window: int = Field(800, gt=0)
    hop: int = Field(320, gt=0)
    width: int = Field(32, gt=0)
    blocks: int = Field(1, ge=0)
    strides: tuple[Annotated[int, Field(ge=1)], ...] = (2, 2)
    features: int = Field(32, gt=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    labels: list[str] = []

    @property
    def samples(self) -> int:
        return round(self.seconds * self.sample_rate)


class GridFeatures(nn.Module):
    """What describes values on a grid (B, channels, *sides). The config has width, features, blocks and dropout."""

    def __init__(self, config: Config, channels: int, strides: Strides, dimensions: int) -> None:
        super().__init__()
        self.config, self.dimensions = config, dimensions
        self.encoder = GridEncoder(channels, config.width, config.features, strides, config.blocks, dimensions)
        # Means over halves of each dimension, since where a stroke lies, or when a sound is heard, matters.
        self.norm = nn.Identity()
        self.join = nn.Linear(2**dimensions * config.features, config.features)
        self.dropout = nn.Dropout(config.dropout)

    def features(self, values: Tensor) -> Tensor:
        """(B, channels, *sides) to (B, features)."""
        pooled = POOLS[self.dimensions](F.gelu(self.encoder(values)), 2)
        return F.gelu(self.join(self.norm(pooled.flatten(1))))


class ImageFeatures(GridFeatures):
    """Images (B, channels, side, side) in [-1, 1] to what describes them."""

    def __init__(self, config: ImageFeaturesConfig) -> None:
        super().__init__(config, config.channels, config.strides, dimensions=2)


class GridClassifier(GridFeatures):
    """Values on a grid (B, channels, *sides) to logits of the config's labels (B, L)."""

    def __init__(self, config: Config, channels: int, strides: Strides, dimensions: int) -> None:
        super().__init__(config, channels, strides, dimensions)
        self.output = nn.Linear(config.features, len(config.labels))

    def forward(self, values: Tensor) -> Tensor:
        return self.output(self.dropout(self.features(values)))


class ImageClassifier(GridClassifier):
    """Images (B, channels, side, side) in [-1, 1] to logits of labels (B, L)."""

    def __init__(self, config: ImageClassifierConfig) -> None:
        super().__init__(config, config.channels, config.strides, dimensions=2)


class VideoClassifier(GridClassifier):
    """Clips (B, channels, frames, side, side) in [-1, 1] to logits of labels (B, L)."""

    def __init__(self, config: VideoClassifierConfig) -> None:
        strides = [(time, space, space) for time, space in config.strides]
        super().__init__(config, config.channels, strides, dimensions=3)


class SoundClassifier(GridClassifier):
    """Waveforms (B, 1, samples) in [-1, 1] to logits of labels (B, L)."""

    def __init__(self, config: SoundClassifierConfig) -> None:
        super().__init__(config, 1, config.strides, dimensions=2)
        # Most of a spectrogram is alike in all sounds; without this, training stands still at first.
        self.norm = nn.BatchNorm1d(4 * config.features)
        self.spectrogram = LogMel(config.sample_rate, config.window, config.hop, config.mels)

    def features(self, values: Tensor) -> Tensor:
        seen = self.spectrogram(values)  # (B, 1, mels, frames), from which loudness is taken away
        mean, deviation = seen.mean((2, 3), keepdim=True), seen.std((2, 3), keepdim=True)
        return super().features((seen - mean) / (deviation + 1e-3))


Classifier = ImageClassifier | VideoClassifier | SoundClassifier
