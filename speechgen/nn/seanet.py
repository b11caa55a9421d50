"""SEANet: the classic convolution stack of neural codecs, from samples to frames and back.

SoundStream (Zeghidour et al. 2021, section III), EnCodec (Défossez et al. 2022, section 3.1); the residual units
with dilations 1, 3, 9 and the Snake activation are those of DAC (Kumar et al. 2023, section 3.1). Convolutions are
not weight-normalised: recomputing the weights would dominate the cost of a short streaming chunk.

The delay is nothing beyond one frame: frame t depends on samples before ``(t + 1) * hop`` only, and its ``hop``
samples are final once it is decoded.
"""

from math import ceil, inf, prod
from typing import Any, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import pad

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.nn.convolution import CausalConv1d, CausalConvTranspose1d, Past
from speechgen.nn.windowed import WindowedConfig, WindowedTransformer


class SEANetConfig(Config):
    """``strides``: from the samples to the frames; their product, times ``resample``, is the codec's hop.

    ``channels``: width next to the waveform, doubled by every stride. ``narrow``: by so much a residual unit is
    narrower inside. ``shortcut``: a residual unit's input passes a matrix. ``lstm`` and ``transformer``: layers at the
    frame rate, 0 or none for none. ``resample``: one more stride behind the transformer. ``past``: what is taken to
    have been before the start. Stacks that are not ``causal`` see as far ahead as back, and cannot stream.
    """

    kind: Literal["seanet"] = "seanet"
    channels: PositiveInt = 32
    strides: tuple[PositiveInt, ...] = Field((2, 4, 5, 8), min_length=1)
    dilations: tuple[PositiveInt, ...] = (1, 3, 9)
    kernel: PositiveInt = 7
    final_kernel: PositiveInt = 7
    residual_kernel: PositiveInt = 3
    narrow: PositiveInt = 2
    shortcut: bool = False
    activation: Literal["elu", "snake"] = "elu"
    final_tanh: bool = False
    lstm: int = Field(0, ge=0)
    transformer: WindowedConfig | None = None
    resample: PositiveInt = 1
    past: Past = "silence"
    causal: bool = True


class Chain(nn.Sequential):
    """Layers one after another; the state is the list of theirs, None for a layer that needs no past."""

    causal = True

    def initial_state(self, batch: int, device=None, dtype=None) -> list[Any]:
        if not self.causal:
            return []
        return [layer.initial_state(batch, device, dtype) if hasattr(layer, "step") else None for layer in self]

    def step(self, x: Tensor, state: list[Any]) -> tuple[Tensor, list[Any]]:
        if not self.causal:
            raise UserError("this codec looks ahead, so it cannot stream; code whole recordings")
        after = []
        for layer, past in zip(self, state, strict=True):
            x, past = layer.step(x, past) if hasattr(layer, "step") else (layer(x), None)
            after.append(past)
        return x, after


class SEANetEncoder(Chain):
    """(B, 1, T), T a multiple of ``hop``, to (B, channels, T / hop)."""

    delay = 0

    def __init__(self, channels: int, hop: int, config: SEANetConfig):
        _check_hop(hop, config)
        width = config.channels
        layers: list[nn.Module] = [_convolution(1, width, config.kernel, config)]
        for stride in config.strides:
            layers += [ResidualUnit(width, dilation, config) for dilation in config.dilations]
            layers += [_activation(width, config), _convolution(width, 2 * width, 2 * stride, config, stride=stride)]
            width *= 2
        layers += [ResidualLSTM(width, config.lstm)] if config.lstm else []
        layers += [_activation(width, config), _convolution(width, channels, config.final_kernel, config)]
        layers += [WindowedTransformer(channels, config.transformer)] if config.transformer else []
        if config.resample > 1:
            kernel, stride = 2 * config.resample, config.resample
            layers += [CausalConv1d(channels, channels, kernel, stride, bias=False, past="repeat")]
        super().__init__(*layers)
        _zero_biases(self)
        self.causal = config.causal


class SEANetDecoder(Chain):
    """(B, channels, T) to (B, 1, T * hop).

    ``reach``: so many frames of the past a frame's samples depend on; all of them with recurrent layers.
    """

    delay = 0

    def __init__(self, channels: int, hop: int, config: SEANetConfig):
        _check_hop(hop, config)
        width = config.channels * 2 ** len(config.strides)
        layers: list[nn.Module] = []
        if config.resample > 1:
            kernel, stride = 2 * config.resample, config.resample
            layers += [CausalConvTranspose1d(channels, channels, kernel, stride, groups=channels, bias=False)]
        layers += [WindowedTransformer(channels, config.transformer)] if config.transformer else []
        layers += [_convolution(channels, width, config.kernel, config)]
        layers += [ResidualLSTM(width, config.lstm)] if config.lstm else []
        for stride in reversed(config.strides):
            up = CausalConvTranspose1d if config.causal else CentredConvTranspose1d
            layers += [_activation(width, config), up(width, width // 2, 2 * stride, stride)]
            width //= 2
            layers += [ResidualUnit(width, dilation, config) for dilation in config.dilations]
        layers += [_activation(width, config), Float32(_convolution(width, 1, config.final_kernel, config))]
        layers += [nn.Tanh()] if config.final_tanh else []
        super().__init__(*layers)
        _zero_biases(self)
        self.causal, self.hop = config.causal, hop
        unbounded = config.lstm or config.transformer or not config.causal
        self.reach = inf if unbounded else _reach(config)

    def forward(self, latents: Tensor) -> Tensor:
        wave = super().forward(latents)
        # Around odd strides a centred stack ends a few samples early.
        return pad(wave, (0, latents.shape[-1] * self.hop - wave.shape[-1]))


class ResidualUnit(nn.Module):
    """A dilated convolution to fewer channels and back, added to the input (B, C, T)."""

    def __init__(self, width: int, dilation: int, config: SEANetConfig):
        super().__init__()
        narrow = max(1, width // config.narrow)
        self.body = Chain(
            _activation(width, config),
            _convolution(width, narrow, config.residual_kernel, config, dilation=dilation),
            _activation(narrow, config),
            _convolution(narrow, width, 1, config),
        )
        self.shortcut = nn.Conv1d(width, width, 1) if config.shortcut else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.body(x)

    def initial_state(self, batch: int, device=None, dtype=None) -> list[Any]:
        return self.body.initial_state(batch, device, dtype)

    def step(self, x: Tensor, state: list[Any]) -> tuple[Tensor, list[Any]]:
        y, state = self.body.step(x, state)
        return self.shortcut(x) + y, state


class ResidualLSTM(nn.Module):
    """Recurrent layers over time, added to the input (B, C, T)."""

    def __init__(self, width: int, layers: int):
        super().__init__()
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.lstm(x.transpose(1, 2))[0].transpose(1, 2)

    def initial_state(self, batch: int, device=None, dtype=None) -> tuple[Tensor, Tensor]:
        """Hidden and cell state, (layers, B, C) each."""
        zeros = torch.zeros(self.lstm.num_layers, batch, self.lstm.hidden_size, device=device, dtype=dtype)
        return zeros, zeros.clone()

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, state = self.lstm(x.transpose(1, 2), state)
        return x + y.transpose(1, 2), state


class Snake(nn.Module):
    """x + sin²(a x) / a with a learned frequency per channel (Ziyin et al. 2020): suits periodic signals."""

    def __init__(self, width: int):
        super().__init__()
        self.frequency = nn.Parameter(torch.ones(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.frequency * x).sin().square() / (self.frequency + 1e-9)


class Float32(nn.Module):
    """Runs a layer in float32 whatever the autocast: in bfloat16 the last convolution would add audible noise."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.layer(x.float())

    def initial_state(self, batch: int, device=None, dtype=None) -> Any:
        return self.layer.initial_state(batch, device, torch.float32)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        with torch.autocast(x.device.type, enabled=False):
            return self.layer.step(x.float(), state)


def _convolution(
    channels_in: int, channels_out: int, kernel: int, config: SEANetConfig, stride: int = 1, dilation: int = 1
) -> nn.Conv1d:
    if config.causal:
        return CausalConv1d(channels_in, channels_out, kernel, stride, dilation, past=config.past)
    # As DAC has them: an odd kernel lies in the middle, a strided one reaches half a stride out at both ends.
    reach = ceil(stride / 2) if stride > 1 else (kernel - 1) * dilation // 2
    return nn.Conv1d(channels_in, channels_out, kernel, stride, reach, dilation)


class CentredConvTranspose1d(nn.ConvTranspose1d):
    """A transposed convolution without its first and last half stride: (B, C_in, T) to (B, C_out, T * stride)."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int):
        super().__init__(channels_in, channels_out, kernel, stride, ceil(stride / 2))


def _activation(width: int, config: SEANetConfig) -> nn.Module:
    return Snake(width) if config.activation == "snake" else nn.ELU()


def _reach(config: SEANetConfig) -> int:
    """Frames before its own that a decoder's sample depends on."""
    frames, rate = float(config.kernel - 1), 1
    for stride in reversed(config.strides):
        frames += 1 / rate  # a transposed convolution is two of its input steps long
        rate *= stride
        frames += (config.residual_kernel - 1) * sum(config.dilations) / rate
    return ceil(frames + (config.final_kernel - 1) / rate)


def _zero_biases(module: nn.Module) -> None:
    """Silence gives silence at first: the usual random biases add up to a constant several times louder than speech."""
    for name, parameter in module.named_parameters():
        if "bias" in name:
            nn.init.zeros_(parameter)


def _check_hop(hop: int, config: SEANetConfig) -> None:
    strides = (*config.strides, config.resample) if config.resample > 1 else config.strides
    if prod(strides) != hop:
        named = " x ".join(map(str, strides))
        raise UserError(f"codec: strides {named} make {prod(strides)} samples per frame, hop is {hop}")
