"""What generators have in common that make a whole image in one pass: no units, no order, no head."""

from abc import ABC, abstractmethod

import torch
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.models.label_ids import label_ids


class OneShotConfig(Config):
    """``labels``: what the model can be told, which the data fills in."""

    side: int = Field(28, gt=0)
    channels: int = Field(1, gt=0)
    width: int = Field(48, gt=0)
    labels: list[str] = []


class OneShot(nn.Module, ABC):
    """Told a label (B,), or ``nothing``. A model that learns alone, unlike a GAN, also has ``losses``."""

    config: OneShotConfig

    def __init__(self, config: OneShotConfig) -> None:
        super().__init__()
        self.config, self.nothing = config, len(config.labels)
        self.label = nn.Embedding(self.nothing + 1, config.width)

    def label_ids(self, names: list[str]) -> Tensor:
        """Numbers of labels (B,); raises UserError for one that is not known."""
        return label_ids(names, self.config.labels, captions=False)

    @abstractmethod
    def sample(self, labels: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        """Draw images (B, C, side, side) in [-1, 1]; noise has standard deviation sqrt(temperature)."""
