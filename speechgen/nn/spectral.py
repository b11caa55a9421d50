"""The frame-rate codec stack: ConvNeXt over short-time spectra in, inverse STFT out (Vocos, Siuzdak 2023, made causal).

Everything runs at the frame rate, which is why it is fast on a CPU: no layer ever sees 16,000 steps a second.
"""

from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.nn.convnext import ConvNeXtStack
from speechgen.nn.fourier import Fourier


class SpectralConfig(Config):
    """``window`` (samples) is a multiple of the codec's hop; the decoder's delay is window - hop. ``hidden``: width of
    the blocks' MLPs, four times ``width`` unless given."""

    kind: Literal["spectral"] = "spectral"
    width: PositiveInt = 384
    blocks: PositiveInt = 8
    hidden: PositiveInt | None = None
    kernel: PositiveInt = 7
    window: PositiveInt = 960


class SpectralEncoder(nn.Module):
    """(B, 1, T) to (B, channels, T / hop); frame t sees samples before ``(t + 1) * hop`` only."""

    delay = 0

    def __init__(self, channels: int, hop: int, config: SpectralConfig):
        super().__init__()
        self.hop, self.window = hop, config.window
        self.fourier = Fourier(config.window)
        self.register_buffer("taper", torch.hann_window(config.window), persistent=False)
        self.inlet = nn.Linear(3 * (config.window // 2 + 1), config.width)
        self.norm = nn.LayerNorm(config.width)
        self.stack = ConvNeXtStack(config.width, config.blocks, config.kernel, hidden=config.hidden)
        self.final_norm = nn.LayerNorm(config.width)
        self.outlet = nn.Linear(config.width, channels)

    def forward(self, wave: Tensor) -> Tensor:
        return self.step(wave, self.initial_state(len(wave), wave.device, wave.dtype))[0]

    def initial_state(self, batch: int, device=None, dtype=None) -> dict:
        past = torch.zeros(batch, 1, self.window - self.hop, device=device, dtype=dtype)
        return {"past": past, "stack": self.stack.initial_state(batch, device, dtype)}

    def step(self, wave: Tensor, state: dict) -> tuple[Tensor, dict]:
        wave = torch.cat([state["past"], wave], dim=-1)
        x = self.norm(self.inlet(self._spectra(wave))).transpose(1, 2)
        x, stack = self.stack.step(x, state["stack"])
        z = self.outlet(self.final_norm(x.transpose(1, 2))).transpose(1, 2)
        return z, {"past": wave[..., wave.shape[-1] - self.window + self.hop :], "stack": stack}

    def _spectra(self, wave: Tensor) -> Tensor:
        """Log magnitude, and real and imaginary parts with magnitudes compressed to their cube root: (B, T, 3 F)."""
        with torch.autocast(wave.device.type, enabled=False):
            pieces = wave.float().reshape(wave.shape[0], -1, self.hop)
            overlaps = self.window // self.hop
            steps = pieces.shape[1] - overlaps + 1
            frames = torch.cat([pieces[:, j : j + steps] for j in range(overlaps)], dim=-1)
            real, imaginary = self.fourier(frames * self.taper)
            power = real**2 + imaginary**2 + 1e-7
            compress = power ** (-1 / 3)
            return torch.cat([0.25 * power.log(), real * compress, imaginary * compress], dim=-1)


class SpectralDecoder(nn.Module):
    """(B, channels, T) to (B, 1, T * hop), late by ``delay`` samples: the overlap that later frames still add to.

    ``reach``: so many frames of the past a frame's samples depend on.
    """

    def __init__(self, channels: int, hop: int, config: SpectralConfig):
        super().__init__()
        self.hop, self.window = hop, config.window
        self.fourier = Fourier(config.window)
        self.overlaps = config.window // hop
        self.delay = config.window - hop
        self.reach = self.overlaps - 1 + config.blocks * (config.kernel - 1)
        taper = torch.hann_window(config.window)
        self.register_buffer("taper", taper / (taper**2).view(self.overlaps, hop).sum(0).mean(), persistent=False)
        self.inlet = nn.Linear(channels, config.width)
        self.norm = nn.LayerNorm(config.width)
        self.stack = ConvNeXtStack(config.width, config.blocks, config.kernel, hidden=config.hidden)
        self.final_norm = nn.LayerNorm(config.width)
        self.outlet = nn.Linear(config.width, 3 * (config.window // 2 + 1))

    def forward(self, latents: Tensor) -> Tensor:
        return self.step(latents, self.initial_state(len(latents), latents.device, latents.dtype))[0]

    def initial_state(self, batch: int, device=None, dtype=None) -> dict:
        frames = torch.zeros(batch, self.overlaps - 1, self.window, device=device, dtype=torch.float32)
        return {"frames": frames, "stack": self.stack.initial_state(batch, device, dtype)}

    def step(self, latents: Tensor, state: dict) -> tuple[Tensor, dict]:
        x = self.norm(self.inlet(latents.transpose(1, 2))).transpose(1, 2)
        x, stack = self.stack.step(x, state["stack"])
        frames = torch.cat([state["frames"], self._frames(x.transpose(1, 2))], dim=1)
        past, steps = self.overlaps - 1, latents.shape[-1]
        pieces = frames.view(len(frames), -1, self.overlaps, self.hop)
        wave = sum(pieces[:, past - j : past - j + steps, j] for j in range(self.overlaps))
        return wave.reshape(len(wave), 1, -1), {"frames": frames[:, frames.shape[1] - past :], "stack": stack}

    def _frames(self, x: Tensor) -> Tensor:
        # float32: bf16 phases are wrong by up to 0.01 rad and log-magnitudes by 0.02 nats.
        with torch.autocast(x.device.type, enabled=False):
            log_magnitude, real, imaginary = self.outlet(self.final_norm(x.float())).chunk(3, dim=-1)
            # The phase is a point's in the plane (APNet, Ai & Ling 2023): unlike an angle it has no jump to learn.
            # Starter codec, 1,000 steps with angles: waveform error on dev 0.053; 600 more with points: 0.038.
            scale = log_magnitude.clamp(max=6.0).exp() * (real**2 + imaginary**2 + 1e-6).rsqrt()
            return self.fourier.inverse(real * scale, imaginary * scale) * self.taper
