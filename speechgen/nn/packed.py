"""Linear layers whose weights wait in the order and precision in which a processor reads them fastest.

A step of generation multiplies every weight by one or two rows, so it takes as long as the weights take to be read.
torch's own packed products are used (FBGEMM, in every x86 build); where they are missing, layers stay as they are.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechgen.nn.linear import Linear

Precision = Literal["f32", "bf16", "int8"]
# Of a prompt, say. Beyond, a product is bound by arithmetic: the plain one is as good in 32 bits. On a Zen 4 core 200
# rows of 312 times 1236 x 312 weights take 1.55 ms in f32, 0.78 in bf16 and 0.46 in int8.
MOST_ROWS = 256


class PackedLinear(Linear):
    """A linear layer that shares the weights of another, and keeps a packed copy of them for generation.

    "f32" multiplies in 32 bits; weights that fit 16-bit floats without loss, as those of models stored by halves do,
    are read as such, which changes no product; long inputs take them as they were. "bf16" rounds weights and inputs to
    bfloat16. "int8" rounds weights to 8 bits for each output and inputs to 8 bits for each call, whose rows thus share
    one scale (256 at most). Training and other devices take the weights as they were.
    """

    def __init__(self, linear: nn.Linear, precision: Precision) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias, self.precision = linear.weight, linear.bias, precision
        weight, bias = linear.weight.detach(), None if linear.bias is None else linear.bias.detach()
        self._packed = None
        if precision == "bf16":
            self._packed = weight.bfloat16(), None if bias is None else bias.bfloat16()
        elif not _fbgemm():
            return
        elif precision == "int8":
            scales = weight.abs().amax(1).clamp(min=1e-12) / 127
            zeros = torch.zeros_like(scales, dtype=torch.long)
            rounded = torch.quantize_per_channel(weight, scales.double(), zeros, 0, torch.qint8)
            self._packed = torch.ops.quantized.linear_prepack(rounded, bias)
        elif torch.equal(weight.half().float(), weight):
            self._packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        few = x.numel() <= MOST_ROWS * self.in_features
        fit = x.dim() > 1 and x.dtype == torch.float32 and x.device.type == "cpu"
        if self._packed is None or not fit or torch.is_grad_enabled() or (self.precision == "f32" and not few):
            return super().forward(x)
        if self.precision == "bf16":
            return F.linear(x.bfloat16(), *self._packed).float()
        if self.precision == "f32":
            return torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
        if few:
            return torch.ops.quantized.linear_dynamic(x, self._packed)
        rows = x.flatten(0, -2).split(MOST_ROWS)
        y = torch.cat([torch.ops.quantized.linear_dynamic(some, self._packed) for some in rows])
        return y.unflatten(0, x.shape[:-1])


def pack_linears(module: nn.Module, precision: Precision) -> None:
    """Put a ``PackedLinear`` in the place of every linear layer inside a module, for generation on a CPU."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear):
                setattr(parent, name, PackedLinear(child, precision))


def _fbgemm() -> bool:
    return "fbgemm" in torch.backends.quantized.supported_engines and torch.backends.quantized.engine != "none"
