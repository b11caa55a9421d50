"""The typed union of what turns a signal into units on a grid of one, two or three dimensions, and how one is built.

Each has ``sides`` of its grid, ``codebooks`` and ``codebook_size`` (0 where units are continuous) and ``unit_width``.
"""

from typing import Annotated

from pydantic import Field

from speechgen.tokenizers.images import ImageCodec, ImageCodecConfig
from speechgen.tokenizers.pixels import Pixels, PixelsConfig
from speechgen.tokenizers.sounds import Sounds, SoundsConfig
from speechgen.tokenizers.videos import VideoCodec, VideoCodecConfig

GridTokenizerConfig = Annotated[
    PixelsConfig | ImageCodecConfig | VideoCodecConfig | SoundsConfig, Field(discriminator="kind")
]
GridTokenizer = Pixels | ImageCodec | VideoCodec | Sounds


def build_grid_tokenizer(config: GridTokenizerConfig) -> GridTokenizer:
    """The tokenizer that a config names, with fresh weights."""
    kinds = {"pixels": Pixels, "image-codec": ImageCodec, "video-codec": VideoCodec, "sounds": Sounds}
    return kinds[config.kind](config)
