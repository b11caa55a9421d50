"""Pixels as units, of images or of clips: as they are, or as codes of a few levels; a patch of them is one unit."""

from collections.abc import Callable
from typing import Literal, Self

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.tokenizers.base import Tokens


class PixelsConfig(Config):
    """``levels``: of brightness, each a code, or 0 for pixels as continuous units. ``patch``: side of a unit in pixels;
    its pixels are the codebooks, or the channels. ``frames`` of a clip; 0 means images."""

    kind: Literal["pixels"] = "pixels"
    side: int = Field(28, gt=0)
    channels: int = Field(1, gt=0)
    levels: int = Field(0, ge=0)
    patch: int = Field(1, gt=0)
    frames: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.levels == 1:
            raise ValueError("levels: 1 would make all pixels alike; 0 is continuous, 2 is black and white")
        if self.side % self.patch:
            raise ValueError(f"patch {self.patch} does not divide the side of {self.side} pixels")
        return self


class Pixels(nn.Module):
    """Images (B, channels, side, side) in [-1, 1] to units (B, channels * patch^2, side / patch, side / patch); clips
    have an axis of frames after the channels, and so have their units."""

    scaled = False

    def __init__(self, config: PixelsConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels * config.patch**2
        self.codebooks, self.codebook_size = (channels, config.levels) if config.levels else (0, 0)
        self.unit_width, grid = channels, config.side // config.patch
        self.sides = (config.frames, grid, grid) if config.frames else (grid, grid)

    def encode(self, images: Tensor) -> Tokens:
        units = self._each(F.pixel_unshuffle, images)
        if not self.config.levels:
            return Tokens(units, "continuous")
        return Tokens(((units.clamp(-1, 1) + 1) / 2 * (self.config.levels - 1)).round().long(), "discrete")

    def decode(self, tokens: Tokens) -> Tensor:
        units = tokens.values
        if self.config.levels:
            units = units.float() / (self.config.levels - 1) * 2 - 1
        return self._each(F.pixel_shuffle, units)

    def _each(self, turn: Callable[[Tensor, int], Tensor], images: Tensor) -> Tensor:
        """``turn`` images, or every frame of clips."""
        if not self.config.frames:
            return turn(images, self.config.patch)
        return turn(images.transpose(1, 2), self.config.patch).transpose(1, 2)
