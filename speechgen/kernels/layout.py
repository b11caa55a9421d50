"""The weights of a WaveNet as arrays that a compiled loop can walk through from front to back."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from speechgen.heads.categorical import CategoricalHead
from speechgen.heads.logistics import LogisticsHead
from speechgen.nn.codes import CodeInput
from speechgen.nn.wavenet import WaveNetStack

LANES = 16  # widths are padded with zeros to a multiple of the floats that a vector of 512 bits holds


@dataclass(frozen=True)
class Weights:
    """All float32; L layers; R, S, H, P: padded widths of residual, skip, hidden and the head's parameters.

    ``now``, ``before``: a row per code (classes, R), or for a scalar input its slope and offset (2, R).
    ``dilated`` (L, 2 R in, 2 R out): from the inputs of the past, then of now, to the signal, then the gate.
    ``output`` (L, R in, R + S out): to the residual (zeros in the last layer), then the skip.
    ``choices``: how many of the P are real. ``mixtures``: 0 for a softmax over the choices.
    """

    dilations: np.ndarray
    now: np.ndarray
    before: np.ndarray
    dilated: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    head: np.ndarray
    head_bias: np.ndarray
    classes: int
    choices: int
    scalar: bool
    mixtures: int
    least_log_scale: float

    @property
    def matrices(self) -> list[np.ndarray]:
        """Every matrix (in, out), in the order of use."""
        layers = [matrix for pair in zip(self.dilated, self.output, strict=True) for matrix in pair]
        return [*layers, self.hidden, self.head]

    @property
    def multiply_adds(self) -> int:
        """How many multiplications by a weight one sample takes."""
        return sum(matrix.size for matrix in self.matrices)


@torch.no_grad()
def pack(inlet: CodeInput, stack: WaveNetStack, hidden: nn.Linear, head: CategoricalHead | LogisticsHead) -> Weights:
    """Lay out the parts of a WaveNet."""
    logistic = isinstance(head, LogisticsHead)
    taps = [[_split(tap, stack.residual) for tap in layer.dilated.weight.unbind(-1)] for layer in stack.layers]
    outputs = [_with_residual(layer.output.weight[..., 0], layer.split, stack) for layer in stack.layers]
    biases = [_with_residual(layer.output.bias, layer.split, stack) for layer in stack.layers]
    return Weights(
        dilations=np.array(stack.dilations, dtype=np.int32),
        now=_table(inlet.now),
        before=_table(inlet.before),
        dilated=np.stack([np.concatenate([_matrix(tap) for tap in pair]) for pair in taps]),
        output=np.stack([_matrix(output) for output in outputs]),
        output_bias=np.stack([_padded(bias).numpy() for bias in biases]),
        hidden=_matrix(_padded(hidden.weight, 0)),
        hidden_bias=_padded(hidden.bias).numpy(),
        head=_matrix(_padded(head.output.weight, 0)),
        head_bias=_padded(head.output.bias).numpy(),
        classes=head.codebook_size,
        choices=head.output.out_features,
        scalar=inlet.scalar,
        mixtures=head.config.mixtures if logistic else 0,
        least_log_scale=head.config.least_log_scale if logistic else 0.0,
    )


@torch.no_grad()
def pack_biases(biases: Tensor) -> np.ndarray:
    """What ``WaveNetStack.biases`` gives, (B, frames, L, 2 R), padded and contiguous."""
    return np.ascontiguousarray(_split(biases, biases.shape[-1] // 2, -1).numpy())


def _padded(x: Tensor, dim: int = -1) -> Tensor:
    """Zeros behind the rows of a dimension, up to a multiple of LANES."""
    size = list(x.shape)
    size[dim] = -x.shape[dim] % LANES
    return torch.cat([x, x.new_zeros(size)], dim).detach().float().cpu()


def _split(x: Tensor, width: int, dim: int = 0) -> Tensor:
    """Two parts of a dimension, the first ``width`` wide, padded each."""
    parts = x.narrow(dim, 0, width), x.narrow(dim, width, x.shape[dim] - width)
    return torch.cat([_padded(part, dim) for part in parts], dim)


def _with_residual(x: Tensor, split: int, stack: WaveNetStack) -> Tensor:
    """Rows of the residual, zeros where the layer has none, then of the skip, padded each."""
    if not split:
        x = torch.cat([x.new_zeros(stack.residual, *x.shape[1:]), x])
    return _split(x, stack.residual)


def _matrix(weight: Tensor) -> np.ndarray:
    """PyTorch's (out, in) as (in, out), the inputs padded."""
    return np.ascontiguousarray(_padded(weight).numpy().T)


def _table(layer: nn.Linear | nn.Embedding) -> np.ndarray:
    if isinstance(layer, nn.Embedding):
        return _padded(layer.weight).numpy()
    return _padded(torch.stack([layer.weight[:, 0], layer.bias])).numpy()
