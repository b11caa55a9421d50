"""Sounds of one length as a row of units: codes or latents of a codec, as many frames of it as one unit holds."""

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.codec import CodecConfig, build_codec


class SoundsConfig(Config):
    """``codec``: its config, which an experiment fills in. ``frames``: of the codec, which every sound has.
    ``codebooks``: the first ones of its codes. ``patch``: frames that are one unit; codes have one."""

    kind: Literal["sounds"] = "sounds"
    codec: CodecConfig = CodecConfig()
    unit: Literal["latents", "codes"] = "latents"
    frames: int = Field(52, gt=0)
    codebooks: int = Field(4, ge=1)
    patch: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.frames % self.patch:
            raise ValueError(f"patch {self.patch} does not divide {self.frames} frames")
        if self.unit == "codes" and self.patch > 1:
            raise ValueError("patch joins latents; a unit of codes is one frame, so patch: 1")
        return self


class Sounds(nn.Module):
    """Waveforms (B, 1, samples) in [-1, 1] to codes (B, K, frames) or latents (B, width * patch, frames / patch)."""

    scaled = False

    def __init__(self, config: SoundsConfig) -> None:
        """Raises UserError for more codebooks than the codec has."""
        super().__init__()
        self.config, self.codec = config, build_codec(config.codec)
        coded = config.unit == "codes"
        if coded and config.codebooks > self.codec.codebooks:
            raise UserError(f"tokenizer.codebooks = {config.codebooks}: the codec has {self.codec.codebooks}")
        self.codebooks, self.codebook_size = (config.codebooks, self.codec.codebook_size) if coded else (0, 0)
        self.unit_width, self.sides = config.codec.width * config.patch, (config.frames // config.patch,)

    @property
    def samples(self) -> int:
        """Samples of a sound: the codec's delay is not one of them."""
        return self.config.frames * self.codec.hop - self.codec.delay

    def encode(self, waves: Tensor) -> Tokens:
        return self.units_of_latents(self.codec.latents(waves))

    def units_of_latents(self, latents: Tensor) -> Tokens:
        """The codec's normalised latents (B, frames, width) as units; raises UserError for another length."""
        if latents.shape[1:] != (self.config.frames, self.config.codec.width):
            found, wanted = "x".join(map(str, latents.shape[1:])), f"{self.config.frames}x{self.config.codec.width}"
            raise UserError(f"latents of {found} frames and channels, but the model has {wanted}; dump them again")
        if self.codebooks:
            return self.codec.quantise(latents, self.codebooks)
        return Tokens(latents.unflatten(1, (-1, self.config.patch)).flatten(2).transpose(1, 2), "continuous")

    def decode(self, tokens: Tokens) -> Tensor:
        if self.codebooks:
            return self.codec.decode(tokens)
        latents = tokens.values.transpose(1, 2).unflatten(2, (self.config.patch, -1)).flatten(1, 2)
        return self.codec.decode_latents(latents)

    @torch.no_grad()
    def silence(self) -> Tensor:
        """The unit (K | D) that stands where a sound has ended."""
        return self.encode(torch.zeros(1, 1, self.samples, device=self.codec.latent_mean.device)).values[0, :, -1]
