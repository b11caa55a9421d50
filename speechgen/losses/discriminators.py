"""Networks that tell recordings from reconstructions.

Multi-period discriminators (HiFi-GAN, Kong et al. 2020, section 2.3) see every p-th sample; multi-band
complex spectrogram discriminators (Descript Audio Codec, Kumar et al. 2023, section 3.3) see amplitude and
phase, one stack of convolutions per frequency band. Widths are far below the papers' so that CPU cores can
train against them, and the first layer of a spectrogram's discriminator keeps every fourth bin only, since it
would cost more than all others. What 12 x 0.8 s at 16 kHz cost one Zen 4 core, a step of the discriminator and
one of the codec: five periods of 8 channels 0.35 s; one window of 512 samples with 16 channels 0.23 s (0.46 s
with a first stride of 2 and the paper's five bands, where 8 channels and a stride of 1 took 0.43 s).
"""

from itertools import pairwise

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from speechgen.config import Config

Features = list[list[Tensor]]
"""One list per discriminator: the feature maps of its layers, the last one being the logits."""

QUIETEST = 0.01  # root mean square below which a waveform is not amplified further: silence stays silent
LEAK = 0.1  # slope of the leaky rectifiers, as in both papers


class DiscriminatorConfig(Config):
    """Which discriminators there are, and how wide."""

    periods: list[PositiveInt] = [2, 3, 5, 7, 11]
    windows: list[PositiveInt] = [1024, 512, 256]
    """STFT windows in samples; the hop is a quarter of each."""
    band_edges: list[float] = [0.0, 0.15, 0.45, 1.0]
    """Where the frequency bands meet, as fractions of the Nyquist frequency."""
    frequency_strides: list[PositiveInt] = [4, 2, 2, 2]
    """How many bins each layer of a spectrogram discriminator but the last steps over."""
    channels: int = Field(8, ge=1)
    """Width of a first layer of a period discriminator; later layers are up to 8 times wider."""
    spectrogram_channels: int = Field(16, ge=1)
    """Width of all layers of a spectrogram discriminator."""

    @model_validator(mode="after")
    def _check(self) -> "DiscriminatorConfig":
        if not self.periods and not self.windows:
            raise ValueError("give at least one period or one window")
        edges = self.band_edges
        if len(edges) < 2 or edges != sorted(set(edges)) or edges[0] < 0 or edges[-1] > 1:
            raise ValueError("band_edges must rise from 0 to 1")
        return self


class Discriminators(nn.Module):
    """All discriminators of a config: waveforms in, one list of feature maps per discriminator out."""

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        self.members = nn.ModuleList(PeriodDiscriminator(period, config.channels) for period in config.periods)
        for window in config.windows:
            member = SpectrogramDiscriminator(
                window, config.band_edges, config.frequency_strides, config.spectrogram_channels
            )
            self.members.append(member)

    def forward(self, wave: Tensor) -> Features:
        """Judge waveforms (B, 1, T) of at least half the longest window, in [-1, 1]."""
        wave = _same_loudness(wave)
        return [member(wave) for member in self.members]


class PeriodDiscriminator(nn.Module):
    """Folds a waveform into rows of ``period`` samples and convolves down the columns."""

    def __init__(self, period: int, channels: int):
        super().__init__()
        self.period = period
        widths = [1] + [channels * factor for factor in (1, 2, 4, 8)]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(width, wider, (5, 1), stride=(3, 1), padding=(2, 0)))
            for width, wider in pairwise(widths)
        )
        self.layers.append(weight_norm(nn.Conv2d(widths[-1], widths[-1], (5, 1), padding=(2, 0))))
        self.logits = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, wave: Tensor) -> list[Tensor]:
        """Waveforms (B, 1, T) to feature maps (B, C, rows, period); the last has C = 1."""
        batch, _, length = wave.shape
        wave = functional.pad(wave, (0, -length % self.period), mode="reflect")
        maps = _activations(self.layers, wave.reshape(batch, 1, -1, self.period))
        return maps + [self.logits(maps[-1])]


class SpectrogramDiscriminator(nn.Module):
    """Convolves the real and imaginary parts of a short-time spectrum, band by band."""

    def __init__(self, window: int, band_edges: list[float], strides: list[int], channels: int):
        super().__init__()
        self.hop = window // 4
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        bins = window // 2 + 1
        edges = [round(edge * bins) for edge in band_edges]
        self.bands = list(pairwise(edges))
        self.stacks = nn.ModuleList(_spectrogram_layers(channels, strides) for _ in self.bands)
        self.logits = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=(1, 1)))

    def forward(self, wave: Tensor) -> list[Tensor]:
        """Waveforms (B, 1, T) to feature maps (B, C, frames, bins) of all bands, then the logits (C = 1)."""
        spectrum = torch.stft(
            wave.squeeze(1).float(),
            n_fft=self.window.numel(),
            hop_length=self.hop,
            window=self.window,
            normalized=True,
            return_complex=True,
        )
        spectrum = torch.view_as_real(spectrum).permute(0, 3, 2, 1)
        features = []
        last_maps = []
        for (low, high), stack in zip(self.bands, self.stacks, strict=True):
            maps = _activations(stack, spectrum[..., low:high])
            features += maps
            last_maps.append(maps[-1])
        return features + [self.logits(torch.cat(last_maps, dim=-1))]


def _spectrogram_layers(channels: int, strides: list[int]) -> nn.ModuleList:
    """Layers that see 3 frames and 9 bins and step over bins, and one of 3 bins that does not."""
    widths = [2] + [channels] * len(strides)
    layers = [
        nn.Conv2d(width, channels, (3, 9), stride=(1, stride), padding=(1, 4)) for width, stride in zip(widths, strides)
    ]
    layers += [nn.Conv2d(channels, channels, (3, 3), padding=(1, 1))]
    return nn.ModuleList(weight_norm(layer) for layer in layers)


def _activations(layers: nn.ModuleList, hidden: Tensor) -> list[Tensor]:
    maps = []
    for layer in layers:
        hidden = functional.leaky_relu(layer(hidden), LEAK)
        maps.append(hidden)
    return maps


def _same_loudness(wave: Tensor) -> Tensor:
    """Centre waveforms and scale them to unit variance, so that soft speech is judged as strictly as loud speech.

    At the level of speech (about 0.1) the layers, initialised for inputs of about 1, take many times longer to learn.
    """
    wave = wave - wave.mean(dim=-1, keepdim=True)
    level = wave.square().mean(dim=-1, keepdim=True).add(1e-12).sqrt()
    return wave / level.clamp(min=QUIETEST)
