"""Video codec: a grid of codes or latents over time and space, by the quantizers of the audio codec (VideoGPT, Yan et
al. 2021; MAGVIT-v2, Yu et al. 2024, whose lookup-free codes are ``fsq`` with levels of two)."""

from math import prod
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from speechgen.config import Config
from speechgen.nn.grid import GridDecoder, GridEncoder
from speechgen.tokenizers.fsq import FSQConfig
from speechgen.tokenizers.images import GridCodec
from speechgen.tokenizers.rvq import RVQConfig
from speechgen.tokenizers.vae import VAEConfig

Stride = Annotated[int, Field(ge=1)]


class VideoCodecConfig(Config):
    """``strides``: of the encoder's convolutions, each over time and over space; a clip of ``frames`` images of
    ``side`` pixels becomes a grid of frames / their product times (side / theirs) squared."""

    kind: Literal["video-codec"] = "video-codec"
    frames: int = Field(8, gt=0)
    side: int = Field(32, gt=0)
    channels: int = Field(1, gt=0)
    width: int = Field(32, gt=0)
    blocks: int = Field(1, ge=0)
    strides: tuple[tuple[Stride, Stride], ...] = ((1, 2), (2, 2))
    latent: int = Field(16, gt=0)
    bottleneck: RVQConfig | FSQConfig | VAEConfig = Field(RVQConfig(codebooks=1), discriminator="kind")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for size, over in zip((self.frames, self.side), zip(*self.strides)):
            if size % prod(over):
                raise ValueError(f"strides {self.strides} do not divide {self.frames} frames of {self.side} pixels")
        return self


class VideoCodec(GridCodec):
    """Clips (B, channels, frames, side, side) in [-1, 1] to codes or latents (B, K | D, T, H, W), and back."""

    def __init__(self, config: VideoCodecConfig) -> None:
        time, space = (prod(over) for over in zip(*config.strides))
        sides = (config.frames // time, config.side // space, config.side // space)
        sizes = ([(time, space, space) for time, space in config.strides], config.blocks, len(sides))
        encoder = GridEncoder(config.channels, config.width, config.latent, *sizes)
        super().__init__(config, encoder, GridDecoder(config.latent, config.width, config.channels, *sizes), sides)
