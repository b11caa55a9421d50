"""Which kernels there are, and which of them this machine runs fastest."""

from speechgen.errors import UserError
from speechgen.kernels.base import Kernel
from speechgen.kernels.build import available, levels
from speechgen.kernels.layout import Weights

COMPILED = ("compiled-f32-numba", "compiled-f32", "compiled-bf16", "compiled-int8")


def fastest() -> str:
    """The fastest method that this machine has."""
    if not available():
        return "compiled-f32-numba"
    return "compiled-int8" if levels()[0] == "avx512" else "compiled-f32"


def make_kernel(method: str, weights: Weights, streams: int, temperature: float) -> Kernel:
    """A kernel by its method's name. Raises UserError where it needs a compiler that is not there."""
    if temperature < 0:
        raise UserError(f"temperature {temperature}: must be 0 or more")
    # numba takes a second to import, and the library is built at its first use: only for those who ask.
    if method == "compiled-f32-numba":
        from speechgen.kernels.numba_kernel import NumbaKernel

        return NumbaKernel(weights, streams, temperature)
    from speechgen.kernels.native import NativeKernel

    return NativeKernel(weights, streams, temperature, method.removeprefix("compiled-"))
