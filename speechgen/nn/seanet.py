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

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.nn.convolution import CausalConv1d, CausalConvTranspose1d


class SEANetConfig(Config):
    """``strides``: from the samples to the frames, their product is the codec's hop.

    ``channels``: width next to the waveform, doubled by every stride. ``lstm``: layers at the frame rate, 0 for none.
    """

    kind: Literal["seanet"] = "seanet"
    channels: PositiveInt = 32
    strides: tuple[PositiveInt, ...] = Field((2, 4, 5, 8), min_length=1)
    dilations: tuple[PositiveInt, ...] = (1, 3, 9)
    kernel: PositiveInt = 7
    residual_kernel: PositiveInt = 3
    activation: Literal["elu", "snake"] = "elu"
    lstm: int = Field(0, ge=0)


class Chain(nn.Sequential):
    """Layers one after another; the state is the list of theirs, None for a layer that needs no past."""

    def initial_state(self, batch: int, device=None, dtype=None) -> list[Any]:
        return [layer.initial_state(batch, device, dtype) if hasattr(layer, "step") else None for layer in self]

    def step(self, x: Tensor, state: list[Any]) -> tuple[Tensor, list[Any]]:
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
        layers: list[nn.Module] = [CausalConv1d(1, width, config.kernel)]
        for stride in config.strides:
            layers += [ResidualUnit(width, dilation, config) for dilation in config.dilations]
            layers += [_activation(width, config), CausalConv1d(width, 2 * width, 2 * stride, stride=stride)]
            width *= 2
        layers += [ResidualLSTM(width, config.lstm)] if config.lstm else []
        layers += [_activation(width, config), CausalConv1d(width, channels, config.kernel)]
        super().__init__(*layers)
        _zero_biases(self)


class SEANetDecoder(Chain):
    """(B, channels, T) to (B, 1, T * hop).

    ``reach``: so many frames of the past a frame's samples depend on; all of them with recurrent layers.
    """

    delay = 0

    def __init__(self, channels: int, hop: int, config: SEANetConfig):
        _check_hop(hop, config)
        width = config.channels * 2 ** len(config.strides)
        layers: list[nn.Module] = [CausalConv1d(channels, width, config.kernel)]
        layers += [ResidualLSTM(width, config.lstm)] if config.lstm else []
        for stride in reversed(config.strides):
            layers += [_activation(width, config), CausalConvTranspose1d(width, width // 2, 2 * stride, stride)]
            width //= 2
            layers += [ResidualUnit(width, dilation, config) for dilation in config.dilations]
        layers += [_activation(width, config), Float32(CausalConv1d(width, 1, config.kernel))]
        super().__init__(*layers)
        _zero_biases(self)
        self.reach = inf if config.lstm else _reach(config)


class ResidualUnit(nn.Module):
    """A dilated convolution to half the width and back, added to the input (B, C, T)."""

    def __init__(self, width: int, dilation: int, config: SEANetConfig):
        super().__init__()
        narrow = max(1, width // 2)
        self.body = Chain(
            _activation(width, config),
            CausalConv1d(width, narrow, config.residual_kernel, dilation=dilation),
            _activation(narrow, config),
            CausalConv1d(narrow, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)

    def initial_state(self, batch: int, device=None, dtype=None) -> list[Any]:
        return self.body.initial_state(batch, device, dtype)

    def step(self, x: Tensor, state: list[Any]) -> tuple[Tensor, list[Any]]:
        y, state = self.body.step(x, state)
        return x + y, state


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


def _activation(width: int, config: SEANetConfig) -> nn.Module:
    return Snake(width) if config.activation == "snake" else nn.ELU()


def _reach(config: SEANetConfig) -> int:
    """Frames before its own that a decoder's sample depends on."""
    frames, rate = float(config.kernel - 1), 1
    for stride in reversed(config.strides):
        frames += 1 / rate  # a transposed convolution is two of its input steps long
        rate *= stride
        frames += (config.residual_kernel - 1) * sum(config.dilations) / rate
    return ceil(frames + (config.kernel - 1) / rate)


def _zero_biases(module: nn.Module) -> None:
    """Silence gives silence at first: the usual random biases add up to a constant several times louder than speech."""
    for name, parameter in module.named_parameters():
        if "bias" in name:
            nn.init.zeros_(parameter)


def _check_hop(hop: int, config: SEANetConfig) -> None:
    if prod(config.strides) != hop:
        strides = " x ".join(map(str, config.strides))
        raise UserError(f"codec: strides {strides} make {prod(config.strides)} samples per frame, hop is {hop}")
