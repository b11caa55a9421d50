"""A codec as two ONNX graphs, encoder and decoder, whose streaming state goes in and comes out.

``encoder.onnx``: wave (1, 1, n * hop) and state to codes (1, K, n) and state. ``decoder.onnx``: codes (1, K, n), -1
where a codebook is not used, and state to wave (1, 1, n * hop) and state. The state before the first chunk is all
zeros. ``codec.json`` says what else a program must know; the first ``delay`` decoded samples are to be dropped.
The folder ``int8`` holds the same with the matrices of linear layers in 8 bits.
"""

import json
import logging
import math
import os
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.nn.fourier import Fourier, MatrixFourier
from speechgen.tokenizers.codec import Codec

PARTS = ("encoder", "decoder")
STEP = 4  # frames of a chunk to trace with and to time
LARGE = 1 << 15  # weights of a matrix that is worth 8 bits; those of the codebooks are smaller
MAX_FRAMES = 100_000  # of a chunk


class ExportedFacts(Config):
    """``codec.json``. ``delay``: samples to drop from the first decoded ones, and of silence to encode at the end."""

    sample_rate: int
    hop: int
    delay: int
    codebooks: int
    codebook_size: int
    weights: str


class _State:
    """A nested state as a flat list of tensors, those without elements left out."""

    def __init__(self, example: Any):
        self._leaves, self._form = tree_flatten(example)
        self._kept = [i for i, leaf in enumerate(self._leaves) if isinstance(leaf, Tensor) and leaf.numel()]

    def flat(self, state: Any) -> list[Tensor]:
        leaves = tree_flatten(state)[0]
        return [leaves[i] for i in self._kept]

    def nested(self, tensors: tuple[Tensor, ...]) -> Any:
        leaves = list(self._leaves)
        for i, tensor in zip(self._kept, tensors, strict=True):
            leaves[i] = tensor
        return tree_unflatten(leaves, self._form)


class _Encoder(nn.Module):
    def __init__(self, codec: Codec):
        super().__init__()
        self.encoder, self.bottleneck = codec.encoder, codec.bottleneck
        self.first = codec.encoder.initial_state(1)
        self.form = _State(self.first)

    def forward(self, wave: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        latents, after = self.encoder.step(wave, self.form.nested(state))
        return self.bottleneck.encode(latents), *self.form.flat(after)


class _Decoder(nn.Module):
    def __init__(self, codec: Codec):
        super().__init__()
        self.decoder, self.bottleneck = codec.decoder, codec.bottleneck
        self.first = codec.decoder.initial_state(1)
        self.form = _State(self.first)

    def forward(self, codes: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        levels = [
            self.bottleneck.level(k, codes[:, k].clamp_min(0)) * (codes[:, k, :, None] >= 0)
            for k in range(self.bottleneck.codebooks)
        ]
        wave, after = self.decoder.step(sum(levels).transpose(1, 2), self.form.nested(state))
        return wave, *self.form.flat(after)


def export_codec(codec: Codec, weights: str, out: Path) -> None:
    """Write ``encoder.onnx``, ``decoder.onnx`` and ``codec.json`` to ``out``, and their 8-bit twins to ``out/int8``.

    ``weights``: the codec's fingerprint. Raises UserError when the packages of the extra [export] are missing, and for
    recurrent codecs.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"{error.name} is missing; pip install 'speechgen[export]'") from None
    if any(isinstance(module, nn.RNNBase) for module in codec.modules()):
        raise UserError("a codec with recurrent layers cannot be exported in chunks of any length; train one without")
    codec = _with_matrices(codec)
    names = set(ExportedFacts.model_fields) - {"weights"}
    facts = ExportedFacts(weights=weights, **{name: getattr(codec, name) for name in names})
    (out / "int8").mkdir(parents=True, exist_ok=True)
    examples = {
        "encoder": (_Encoder(codec), torch.zeros(1, 1, STEP * codec.hop), codec.hop),
        "decoder": (_Decoder(codec), torch.zeros(1, codec.codebooks, STEP, dtype=torch.long), 1),
    }
    for part, (module, example, unit) in examples.items():
        _trace(module.eval(), example, unit, out / f"{part}.onnx")
        _quantise(out / f"{part}.onnx", out / "int8" / f"{part}.onnx")
    for folder in (out, out / "int8"):
        (folder / "codec.json").write_text(facts.model_dump_json(indent=2) + "\n", encoding="utf-8")


class OnnxCodec:
    """The graphs of a folder, with the codec's own streaming words; arrays in and out, onnxruntime beneath."""

    def __init__(self, folder: str | Path, threads: int = 1):
        """Raises UserError when onnxruntime or the files are missing."""
        try:
            import onnxruntime
        except ImportError:
            raise UserError("onnxruntime is missing; pip install 'speechgen[export]'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        try:
            self.facts = ExportedFacts.model_validate(json.loads(Path(folder, "codec.json").read_text("utf-8")))
            self._sessions = {
                part: onnxruntime.InferenceSession(Path(folder, f"{part}.onnx").read_bytes(), options) for part in PARTS
            }
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: no exported codec ({' '.join(str(error).split())[:100]})") from None

    def initial_state(self) -> dict[str, Any]:
        """The state before the first chunk, for both directions."""
        state: dict[str, Any] = {"drop": self.facts.delay}
        for part, session in self._sessions.items():
            state[part] = [np.zeros(one.shape, np.float32) for one in session.get_inputs()[1:]]
        return state

    def encode_step(self, chunk: np.ndarray, state: dict) -> tuple[np.ndarray, dict]:
        """A chunk (1, 1, n * hop) float32 to codes (1, K, n)."""
        codes, after = self._run("encoder", chunk, state)
        return codes, {**state, "encoder": after}

    def decode_step(self, codes: np.ndarray, state: dict) -> tuple[np.ndarray, dict]:
        """Codes (1, k, n), of any number of codebooks, to the samples that are ready, as ``Codec.decode_step``."""
        unused = self.facts.codebooks - codes.shape[1]
        codes = np.pad(codes, ((0, 0), (0, unused), (0, 0)), constant_values=-1)
        wave, after = self._run("decoder", codes, state)
        drop = min(state["drop"], wave.shape[-1])
        return wave[..., drop:], {**state, "decoder": after, "drop": state["drop"] - drop}

    def _run(self, part: str, x: np.ndarray, state: dict) -> tuple[np.ndarray, list[np.ndarray]]:
        session = self._sessions[part]
        names = [one.name for one in session.get_inputs()]
        y, *after = session.run(None, dict(zip(names, [x, *state[part]], strict=True)))
        return y, after


def compare(codec: Codec, exported: OnnxCodec, wave: Tensor) -> dict[str, float]:
    """Stream (1, 1, n * STEP * hop) through both: the share of equal codes, the SNR (dB) of the exported decoder's
    audio against the codec's for the codec's codes, and x real time of both."""
    seconds = wave.shape[-1] / codec.sample_rate
    chunks = wave.split(STEP * codec.hop, dim=-1)
    with torch.inference_mode():
        tokens, encoding = _streamed(codec.encode_step, chunks, codec.initial_state())
        heard, decoding = _streamed(codec.decode_step, tokens, codec.initial_state())
    ours, arrays = [one.values for one in tokens], [chunk.numpy() for chunk in chunks]
    theirs, their_encoding = _streamed(exported.encode_step, arrays, exported.initial_state())
    codes = [one.numpy() for one in ours]
    decoded, their_decoding = _streamed(exported.decode_step, codes, exported.initial_state())
    reference, made = torch.cat(heard, -1).numpy(), np.concatenate(decoded, -1)
    error = float(((made - reference) ** 2).mean())
    return {
        "equal_codes": float((np.concatenate(theirs, -1) == torch.cat(ours, -1).numpy()).mean()),
        "snr": 10 * math.log10(max(float((reference**2).mean()), 1e-12) / max(error, 1e-12)),
        "largest_error": float(np.abs(made - reference).max()),
        "x_real_time": seconds / (their_encoding + their_decoding),
        "x_real_time_torch": seconds / (encoding + decoding),
    }


def _streamed(step: Callable, chunks: list, state: Any) -> tuple[list, float]:
    """All chunks through a step, and the seconds that took."""
    step(chunks[0], state)  # the first run pays for memory and kernels
    made, started = [], time.perf_counter()
    for chunk in chunks:
        result, state = step(chunk, state)
        made.append(result)
    return made, time.perf_counter() - started


def _with_matrices(codec: Codec) -> Codec:
    """A copy that transforms by matrix products: ONNX has no inverse transform that all runtimes know."""
    codec = deepcopy(codec).cpu().eval().requires_grad_(False)
    for part in (codec.encoder, codec.decoder):
        if isinstance(getattr(part, "fourier", None), Fourier):
            part.fourier = MatrixFourier(part.window)
    return codec


def _trace(module: nn.Module, example: Tensor, unit: int, path: Path) -> None:
    state = tuple(module.form.flat(module.first))
    frames = torch.export.Dim("frames", min=1, max=MAX_FRAMES)
    shapes = ({2: unit * frames}, tuple({} for _ in state))
    names = ["wave", "codes"] if unit > 1 else ["codes", "wave"]
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    with _quiet():
        torch.onnx.export(
            module, (example, state), partial, dynamo=True, external_data=False, verbose=False, dynamic_shapes=shapes,
            input_names=[names[0], *(f"state_{i}" for i in range(len(state)))],
            output_names=[names[1], *(f"next_{i}" for i in range(len(state)))],
        )  # fmt: skip
    os.replace(partial, path)


def _quantise(source: Path, target: Path) -> None:
    """Large linear layers in 8 bits; the spectra and the choice of codes, which would suffer most, stay exact."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(source).graph
    large = {one.name for one in graph.initializer if math.prod(one.dims) >= LARGE and "fourier" not in one.name}
    exact = [node.name for node in graph.node if not large.intersection(node.input)]
    partial = target.with_name(f".{os.getpid()}.{target.name}")
    with _quiet():
        quantize_dynamic(
            source, partial, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8, per_channel=True,
            nodes_to_exclude=exact,
        )  # fmt: skip
    os.replace(partial, target)


@contextmanager
def _quiet():
    """Exporters warn of much that is nobody's business here."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
