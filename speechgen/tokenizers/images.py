"""Image codec: grids of codes or latents, by the quantizers of the audio codec between convolutions over the grid.

One codebook of ``rvq`` is a VQ-VAE (van den Oord et al. 2017), more are its residual kin; ``fsq`` with levels of two
is lookup-free quantisation (Yu et al. 2024); ``vae`` makes the continuous latents of latent diffusion. With ``scales``
the codes are those of VAR; with ``tokens`` there is no grid, but a sequence of tokens for the whole image (TiTok).
"""

from math import prod
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.nn.grid import GridDecoder, GridEncoder, check_strides, over_sequence
from speechgen.nn.latent_tokens import TokenDecoder, TokenEncoder
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.bottleneck import Quantized
from speechgen.tokenizers.codec import build_bottleneck
from speechgen.tokenizers.fsq import FSQConfig
from speechgen.tokenizers.rvq import RVQConfig
from speechgen.tokenizers.scales import ScaleQuantizer, ScalesConfig
from speechgen.tokenizers.vae import VAEConfig


class ImageCodecConfig(Config):
    """``strides``: of the encoder's convolutions; an image of ``side`` pixels becomes a grid of side / their product.
    ``latent``: channels between encoder and bottleneck. ``tokens``: so many instead of a grid, or 0; the product
    of the strides is then the side of a patch, and ``blocks`` are transformers', whose ``width`` divides by 16."""

    kind: Literal["image-codec"] = "image-codec"
    side: int = Field(28, gt=0)
    channels: int = Field(1, gt=0)
    width: int = Field(48, gt=0)
    blocks: int = Field(1, ge=0)
    strides: tuple[Annotated[int, Field(ge=1)], ...] = (2, 2)
    latent: int = Field(16, gt=0)
    tokens: int = Field(0, ge=0)
    bottleneck: RVQConfig | FSQConfig | VAEConfig | ScalesConfig = Field(RVQConfig(codebooks=1), discriminator="kind")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_strides(self.side, self.strides)
        if self.bottleneck.kind == "scales" and self.bottleneck.scales[-1] != self.side // prod(self.strides):
            raise ValueError(f"scales end at {self.bottleneck.scales[-1]}, the grid's side is not that")
        if self.tokens and (self.width % 16 or not self.blocks or self.bottleneck.kind == "scales"):
            raise ValueError("tokens want a width that divides by 16, one block or more, and no bottleneck of scales")
        return self


class GridCodec(nn.Module):
    """Signals on a grid in [-1, 1] to codes (B, K, *sides), latents (B, latent, *sides), or, with scales, codes of all
    scales (B, 1, S); and back. ``sides``: of the units' grid. A config has latent and a bottleneck."""

    def __init__(self, config: Config, encoder: nn.Module, decoder: nn.Module, sides: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = encoder, decoder
        self.scaled = config.bottleneck.kind == "scales"
        self.bottleneck = (
            ScaleQuantizer(config.latent, config.bottleneck)
            if self.scaled
            else build_bottleneck(config.bottleneck, config.latent)
        )
        self.codebooks = self.bottleneck.codebooks
        self.codebook_size = self.bottleneck.codebook_size if self.codebooks else 0
        self.unit_width, self.sides = config.latent, sides

    def forward(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Quantized]:
        """Training: reconstructions, and what the bottleneck did."""
        latents = self.encoder(images)
        if self.scaled:
            quantized = self.bottleneck(latents, generator)
            return self.decoder(quantized.values), quantized
        sequence, sides = over_sequence(latents)
        quantized = self.bottleneck(sequence, generator)
        return self.decoder(quantized.values.unflatten(2, sides)), quantized

    def encode(self, images: Tensor) -> Tokens:
        latents = self.encoder(images)
        if self.scaled:
            return Tokens(self.bottleneck.encode(latents), "discrete")
        sequence, sides = over_sequence(latents)
        kind = "discrete" if self.codebooks else "continuous"
        return Tokens(self.bottleneck.encode(sequence).unflatten(2, sides), kind)

    def decode(self, tokens: Tokens) -> Tensor:
        if self.scaled:
            return self.decoder(self.bottleneck.decode(tokens.values))
        sequence, sides = over_sequence(tokens.values)
        return self.decoder(self.bottleneck.decode(sequence).unflatten(2, sides))


class ImageCodec(GridCodec):
    """Images (B, channels, side, side) in [-1, 1] to codes or latents on a square grid, or with tokens in a row, and
    back."""

    def __init__(self, config: ImageCodecConfig) -> None:
        patch = prod(config.strides)
        sizes = (config.side, patch, config.tokens, config.blocks) if config.tokens else (config.strides, config.blocks)
        encoder, decoder = (TokenEncoder, TokenDecoder) if config.tokens else (GridEncoder, GridDecoder)
        super().__init__(
            config,
            encoder(config.channels, config.width, config.latent, *sizes),
            decoder(config.latent, config.width, config.channels, *sizes),
            (config.tokens,) if config.tokens else (config.side // patch,) * 2,
        )
