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
    ``residual`` (L - 1, R in, R out): the last layer has none. ``skip`` (L, R in, S out), of one bias in all.
    ``choices``: how many of the P are real. ``mixtures``: 0 for a softmax over the choices.
    """

    dilations: np.ndarray
    now: np.ndarray
    before: np.ndarray
    dilated: np.ndarray
    residual: np.ndarray
    residual_bias: np.ndarray
    skip: np.ndarray
    skip_bias: np.ndarray
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
        """Every matrix (in, out), in the order of use.

        What a layer makes of the past is computed while the layer before waits for its gates, and its skip while the
        next one's input is made ready: neither depends on the other.
        """
        past, now = np.split(self.dilated, 2, axis=1)
        ordered = [past[0]]
        for layer, skip in enumerate(self.skip):
            ordered.append(now[layer])
            if layer + 1 < len(self.skip):
                ordered += [past[layer + 1], self.residual[layer]]
            ordered.append(skip)
        return [*ordered, self.hidden, self.head]

    @property
    def multiply_adds(self) -> int:
        """How many multiplications by a weight one sample takes."""
        return sum(matrix.size for matrix in self.matrices)


@torch.no_grad()
def pack(inlet: CodeInput, stack: WaveNetStack, hidden: nn.Linear, head: CategoricalHead | LogisticsHead) -> Weights:
    """Lay out the parts of a WaveNet."""
    logistic = isinstance(head, LogisticsHead)
    taps = [[_split(tap, stack.residual) for tap in layer.dilated.weight.unbind(-1)] for layer in stack.layers]
    inner, width = stack.layers[:-1], stack.residual
    residual = [_matrix(_padded(layer.output.weight[:width, :, 0], 0)) for layer in inner]
    residual_bias = [_padded(layer.output.bias[:width]).numpy() for layer in inner]
    skip_bias = sum(layer.output.bias[layer.split :] for layer in stack.layers)
    return Weights(
        dilations=np.array(stack.dilations, dtype=np.int32),
        now=_table(inlet.now),
        before=_table(inlet.before),
        dilated=np.stack([np.concatenate([_matrix(tap) for tap in pair]) for pair in taps]),
        residual=_stack(residual, 3),
        residual_bias=_stack(residual_bias, 2),
        skip=np.stack([_matrix(_padded(layer.output.weight[layer.split :, :, 0], 0)) for layer in stack.layers]),
        skip_bias=_padded(skip_bias).numpy(),
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


def _stack(arrays: list[np.ndarray], dimensions: int) -> np.ndarray:
    """A network of one layer has none of these."""
    return np.stack(arrays) if arrays else np.zeros((0,) * dimensions, np.float32)


def _matrix(weight: Tensor) -> np.ndarray:
    """PyTorch's (out, in) as (in, out), the inputs padded."""
    return np.ascontiguousarray(_padded(weight).numpy().T)


def _table(layer: nn.Linear | nn.Embedding) -> np.ndarray:
    if isinstance(layer, nn.Embedding):
        return _padded(layer.weight).numpy()
    return _padded(torch.stack([layer.weight[:, 0], layer.bias])).numpy()
