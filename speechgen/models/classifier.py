"""A small classifier of images: tells whether a generated one can be read, and lends its features to the Frechet
distance. It is trained apart from what it judges."""

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.nn.grid import GridEncoder


class ImageFeaturesConfig(Config):
    """``features``: numbers that describe an image."""

    side: int = Field(28, gt=0)
    channels: int = Field(1, gt=0)
    width: int = Field(32, gt=0)
    blocks: int = Field(1, ge=0)
    strides: tuple[int, ...] = (2, 2)
    features: int = Field(64, gt=1)
    dropout: float = Field(0.2, ge=0, lt=1)


class ImageFeatures(nn.Module):
    """Images (B, channels, side, side) in [-1, 1] to what describes them."""

    def __init__(self, config: ImageFeaturesConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = GridEncoder(config.channels, config.width, config.features, config.strides, config.blocks)
        # Means over quarters of the grid, since where a stroke lies matters.
        self.join = nn.Linear(4 * config.features, config.features)
        self.dropout = nn.Dropout(config.dropout)

    def features(self, images: Tensor) -> Tensor:
        """(B, channels, side, side) to (B, features)."""
        return F.gelu(self.join(F.adaptive_avg_pool2d(F.gelu(self.encoder(images)), 2).flatten(1)))


class ImageClassifierConfig(ImageFeaturesConfig):
    """The data fills in the ``labels``."""

    kind: Literal["image-classifier"] = "image-classifier"
    labels: list[str] = []


class ImageClassifier(ImageFeatures):
    """Images (B, channels, side, side) in [-1, 1] to logits of labels (B, L)."""

    def __init__(self, config: ImageClassifierConfig) -> None:
        super().__init__(config)
        self.output = nn.Linear(config.features, len(config.labels))

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.dropout(self.features(images)))
