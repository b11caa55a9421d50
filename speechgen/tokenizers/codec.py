"""The neural codec: encoder, bottleneck, decoder; causal, streaming by explicit state, any bitrate from one model."""

import math
from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import pad

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.nn.packed import Precision, pack_linears
from speechgen.nn.seanet import SEANetConfig, SEANetDecoder, SEANetEncoder
from speechgen.nn.spectral import SpectralConfig, SpectralDecoder, SpectralEncoder
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.bottleneck import Bottleneck, Quantized
from speechgen.tokenizers.euclidean import EuclideanConfig, EuclideanQuantizer
from speechgen.tokenizers.fsq import FiniteScalarQuantizer, FSQConfig
from speechgen.tokenizers.rvq import ResidualVectorQuantizer, RVQConfig
from speechgen.tokenizers.vae import VAEConfig, VariationalBottleneck


def _kind_is_usually(kind: str) -> BeforeValidator:
    """Lets a config leave out ``kind`` where it wants the usual one."""
    return BeforeValidator(lambda values: {"kind": kind, **values} if isinstance(values, dict) else values)


StackConfig = Annotated[SpectralConfig | SEANetConfig, Field(discriminator="kind"), _kind_is_usually("spectral")]
BottleneckConfig = Annotated[
    RVQConfig | FSQConfig | VAEConfig | EuclideanConfig, Field(discriminator="kind"), _kind_is_usually("rvq")
]


class CodecConfig(Config):
    """``hop``: samples per latent frame; ``width``: channels of a latent."""

    kind: Literal["codec"] = "codec"
    sample_rate: PositiveInt = 16000
    hop: PositiveInt = 320
    width: PositiveInt = 32
    encoder: StackConfig = SpectralConfig()
    decoder: StackConfig = SpectralConfig()
    bottleneck: BottleneckConfig = RVQConfig()

    @property
    def latency(self) -> float:
        """The algorithmic delay in seconds: a frame has to be complete, and a window ends after its frame."""
        samples = self.decoder.window if isinstance(self.decoder, SpectralConfig) else self.hop
        return samples / self.sample_rate


def build_codec(config: CodecConfig) -> "Codec":
    """Build a codec's parts from its config; raises UserError for strides and windows that do not fit the hop."""
    for name, part in (("encoder", config.encoder), ("decoder", config.decoder)):
        if isinstance(part, SpectralConfig) and part.window % config.hop:
            raise UserError(f"codec: {name}.window = {part.window} is not a multiple of hop = {config.hop}")
    encoder_class = {"spectral": SpectralEncoder, "seanet": SEANetEncoder}[config.encoder.kind]
    decoder_class = {"spectral": SpectralDecoder, "seanet": SEANetDecoder}[config.decoder.kind]
    return Codec(
        config,
        encoder_class(config.width, config.hop, config.encoder),
        build_bottleneck(config.bottleneck, config.width),
        decoder_class(config.width, config.hop, config.decoder),
    )


def build_bottleneck(config: RVQConfig | FSQConfig | VAEConfig | EuclideanConfig, width: int) -> Bottleneck:
    """The bottleneck that a config names, for latents of ``width`` channels."""
    bottlenecks = {
        "rvq": ResidualVectorQuantizer,
        "fsq": FiniteScalarQuantizer,
        "vae": VariationalBottleneck,
        "euclidean": EuclideanQuantizer,
    }
    return bottlenecks[config.kind](width, config)


class Codec(nn.Module):
    """Waveforms (B, 1, samples) to tokens and back.

    The decoder is late by ``delay`` samples (a multiple of the hop); ``encode`` therefore adds that much silence at
    the end, and ``decode`` drops that much at the start, so that what comes out lines up with what went in.
    """

    def __init__(self, config: CodecConfig, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module):
        super().__init__()
        self.config = config
        self.encoder, self.bottleneck, self.decoder = encoder, bottleneck, decoder
        self.sample_rate, self.hop, self.delay = config.sample_rate, config.hop, decoder.delay
        self.codebooks, self.codebook_size = bottleneck.codebooks, bottleneck.codebook_size
        self.register_buffer("latent_mean", torch.zeros(config.width))
        self.register_buffer("latent_deviation", torch.ones(config.width))

    @property
    def frame_rate(self) -> float:
        """Latent frames per second, in Hz."""
        return self.sample_rate / self.hop

    @property
    def streams(self) -> bool:
        """Whether it codes chunk by chunk; a stack that looks ahead cannot."""
        return all(getattr(part, "causal", True) for part in (self.encoder, self.decoder))

    @property
    def reach(self) -> float:
        """Frames of the past that decoded samples depend on; infinity for recurrent decoders."""
        return self.decoder.reach

    def pack(self, precision: Precision) -> None:
        """Let the blocks multiply in fewer bits from now on, for coding on a CPU; spectra, codebooks and what goes in
        and out of the blocks keep 32. Units and files stay those of the same codec. Raises UserError for other stacks.
        """
        if precision == "f32":
            return
        for part in (self.encoder, self.decoder):
            if not isinstance(part, SpectralEncoder | SpectralDecoder):
                raise UserError(f"precision {precision}: only spectral codecs have it; this one computes in f32")
            pack_linears(part.stack, precision)

    def kbps(self, codebooks: int) -> float:
        """Nominal kbit/s of so many codebooks, container not counted."""
        return self.frame_rate * codebooks * math.log2(self.codebook_size) / 1000

    def codebooks_for(self, kbps: float) -> int:
        """The most codebooks that fit into a bitrate; raises UserError when the codec has no such bitrate."""
        if not self.codebooks:
            raise UserError(f"{kbps:g} kbit/s: this codec is continuous, it has no bitrate")
        count = int(kbps / self.kbps(1) + 1e-6)
        if not 1 <= count <= self.codebooks:
            raise UserError(f"{kbps:g} kbit/s: this codec has {self.kbps(1):g} to {self.kbps(self.codebooks):g} kbit/s")
        return count

    def forward(self, wave: Tensor, generator: torch.Generator) -> tuple[Tensor, Quantized]:
        """Training: a reconstruction of (B, 1, T) as long as the input, and what the bottleneck did."""
        z = self.encoder(self._padded(wave))
        quantized = self.bottleneck(z, generator)
        if self.training and z.requires_grad:  # a frozen encoder's scale is settled
            self._follow(self._continuous(z.detach()))
        return self.decoder(quantized.values)[..., self.delay :][..., : wave.shape[-1]], quantized

    def encode(self, wave: Tensor, codebooks: int | None = None) -> Tokens:
        """(B, 1, samples) to ceil(samples / hop) + delay / hop frames of codes, or of latents without codebooks."""
        return self._tokens(self.encoder(self._padded(wave)), codebooks)

    def decode(self, tokens: Tokens) -> Tensor:
        """Tokens back to (B, 1, frames * hop - delay)."""
        return self.decoder(self.bottleneck.decode(tokens.values))[..., self.delay :]

    def latents(self, wave: Tensor) -> Tensor:
        """Continuous units, normalised to mean 0 and deviation 1: (B, frames, width)."""
        z = self._continuous(self.encoder(self._padded(wave))).transpose(1, 2)
        return (z - self.latent_mean) / self.latent_deviation

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Normalised latents (B, frames, width) to (B, 1, frames * hop - delay)."""
        return self.decoder(self._unscaled(latents))[..., self.delay :]

    def quantise(self, latents: Tensor, codebooks: int | None = None) -> Tokens:
        """Normalised latents (B, frames, width) to the codes that ``encode`` gives where it gives codes."""
        if not self.codebooks:
            return Tokens(self._unscaled(latents), "continuous")
        return self._tokens(self._unscaled(latents), codebooks)

    @torch.no_grad()
    def code_vectors(self) -> Tensor:
        """What each code adds to the latents before they are normalised: (codebooks, codebook_size, width)."""
        codes = torch.arange(self.codebook_size, device=self.latent_mean.device)[None]
        return torch.cat([self.bottleneck.level(k, codes) for k in range(self.codebooks)])

    def initial_state(self, batch: int = 1) -> dict:
        """The state before the first chunk, for both directions."""
        where = {"device": self.latent_mean.device, "dtype": self.latent_mean.dtype}
        return {
            "encoder": self.encoder.initial_state(batch, **where),
            "decoder": self.decoder.initial_state(batch, **where),
            "drop": self.delay,
        }

    def encode_step(self, chunk: Tensor, state: dict, codebooks: int | None = None) -> tuple[Tokens, dict]:
        """A chunk (B, 1, n * hop) to n frames. Feed ``delay`` samples of silence last, as ``encode`` does."""
        z, after = self.encoder.step(chunk, state["encoder"])
        return self._tokens(z, codebooks), {**state, "encoder": after}

    def decode_step(self, tokens: Tokens, state: dict) -> tuple[Tensor, dict]:
        """n frames of tokens to the samples that are ready: n * hop, less the delay at the very start."""
        return self._decode_step(self.bottleneck.decode(tokens.values), state)

    def decode_latents_step(self, latents: Tensor, state: dict) -> tuple[Tensor, dict]:
        """n frames of normalised latents (B, n, width) to the samples that are ready."""
        return self._decode_step(self._unscaled(latents), state)

    def _decode_step(self, values: Tensor, state: dict) -> tuple[Tensor, dict]:
        wave, after = self.decoder.step(values, state["decoder"])
        drop = min(state["drop"], wave.shape[-1])
        return wave[..., drop:], {**state, "decoder": after, "drop": state["drop"] - drop}

    def _tokens(self, z: Tensor, codebooks: int | None) -> Tokens:
        if codebooks is not None and self.codebooks and not 1 <= codebooks <= self.codebooks:
            raise UserError(f"{codebooks} codebooks: this codec has 1 to {self.codebooks}")
        return Tokens(self.bottleneck.encode(z, codebooks), "discrete" if self.codebooks else "continuous")

    def _continuous(self, z: Tensor) -> Tensor:
        """What the decoder sees when nothing is quantised; a continuous bottleneck passes its mean."""
        return z if self.codebooks else self.bottleneck.encode(z)

    def _padded(self, wave: Tensor) -> Tensor:
        return pad(wave, (0, -wave.shape[-1] % self.hop + self.delay))

    def _unscaled(self, latents: Tensor) -> Tensor:
        return (latents * self.latent_deviation + self.latent_mean).transpose(1, 2)

    @torch.no_grad()
    def _follow(self, z: Tensor) -> None:
        flat = z.float().transpose(1, 2).reshape(-1, z.shape[1])
        self.latent_mean.lerp_(flat.mean(0), 0.01)
        self.latent_deviation.lerp_(flat.std(0).clamp_min(1e-4), 0.01)
