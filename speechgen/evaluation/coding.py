"""A neural codec as a system to be scored, and models by the name that reports show."""

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.errors import UserError
from speechgen.evaluation.baselines import fit
from speechgen.models.load import fingerprint, load, load_entropy
from speechgen.nn.packed import Precision
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.chunks import decode_in_chunks, encode_in_chunks
from speechgen.tokenizers.codec import Codec
from speechgen.tokenizers.sgc import EntropyCoder, SgcHeader, pack_sgc, unpack_sgc


class NeuralCodec(Protocol):
    """What a codec must say and do to be scored; ours, and those of transformers behind ``PretrainedCodec``."""

    sample_rate: int
    hop: int
    codebooks: int
    codebook_size: int

    def kbps(self, codebooks: int) -> float: ...

    def encode(self, wave: Tensor, codebooks: int | None = None) -> Tokens: ...

    def decode(self, tokens: Tokens) -> Tensor: ...


class CodecSystem:
    """A codec at so many codebooks, through the bytes of a .sgc file and back."""

    def __init__(self, name: str, codec: NeuralCodec, codebooks: int, coder: EntropyCoder | None = None):
        """``coder``: the entropy model that makes the file smaller, if the codec has one."""
        self.coder = coder if coder and coder.codebooks >= codebooks else None
        self.name = f"{name}-{codec.kbps(codebooks):.3g}k"
        self.model, self.codec, self.codebooks = name, codec, codebooks
        self.weights = fingerprint(codec)
        self.facts = {
            "model": name,
            "weights": self.weights,
            "codebooks": codebooks,
            "codebook_size": codec.codebook_size,
            "entropy": self.coder.fingerprint if self.coder else "",
        }

    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        return self.code(wave, sample_rate)[:2]

    @torch.inference_mode()
    def code(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int, Tensor]:
        rate = self.codec.sample_rate
        resampled = resample(wave, sample_rate, rate)
        codes, header = encode(self.codec, self.model, self.weights, resampled, self.codebooks)
        header = header.model_copy(update={"entropy": self.facts["entropy"]})
        content = pack_sgc(codes, header, self.coder)
        codes = unpack_sgc(content, coder=self.coder).codes
        decoded = decode(self.codec, codes)
        return fit(resample(decoded, rate, sample_rate), len(wave)), len(content), codes


class ContinuousSystem:
    """A codec without codebooks: its latents, at 16 bits per number."""

    def __init__(self, name: str, codec: Codec):
        self.name, self.codec = name, codec
        self.facts = {"model": name, "weights": fingerprint(codec)}

    @torch.inference_mode()
    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        rate = self.codec.sample_rate
        latents = encode_in_chunks(self.codec, resample(wave, sample_rate, rate)[None, None]).values.half()
        decoded = decode_in_chunks(self.codec, Tokens(latents.float(), "continuous"))[0, 0]
        return fit(resample(decoded, rate, sample_rate), len(wave)), latents.nbytes


def encode(codec: NeuralCodec, model: str, weights: str, wave: Tensor, codebooks: int) -> tuple[Tensor, SgcHeader]:
    """Code (T,) at the codec's own rate: codes (K, T) and the header that a .sgc file of them needs."""
    if isinstance(codec, Codec):
        codes = encode_in_chunks(codec, wave[None, None], codebooks).values[0]
    else:
        codes = codec.encode(wave[None, None], codebooks).values[0]
    header = SgcHeader(
        model=model,
        weights=weights,
        sample_rate=codec.sample_rate,
        hop=codec.hop,
        codebooks=codebooks,
        codebook_size=codec.codebook_size,
        frames=codes.shape[1],
        samples=len(wave),
    )
    return codes, header


def decode(codec: NeuralCodec, codes: Tensor) -> Tensor:
    """Decode codes (K, T) to (samples,) at the codec's own rate."""
    if not codes.shape[1]:
        return torch.zeros(0)
    tokens = Tokens(codes[None], "discrete")
    wave = decode_in_chunks(codec, tokens) if isinstance(codec, Codec) else codec.decode(tokens)
    return wave[0, 0].float()


def load_codec(model: str | Path, precision: Precision = "f32") -> Codec:
    """A codec with codebooks by name or folder, which computes in this precision.

    Raises UserError for a model of another kind.
    """
    codec = load(model)
    if not isinstance(codec, Codec):
        raise UserError(f"{model}: is no codec; give the name or folder of one")
    if not codec.codebooks:
        raise UserError(f"{model}: has no codebooks, its latents are continuous; train one with bottleneck rvq or fsq")
    codec.pack(precision)
    return codec


def codec_systems(model: str | Path, kbps: list[float], precision: Precision = "f32") -> list[CodecSystem]:
    """Our codec at each bitrate; raises UserError for a bitrate that it does not have."""
    codec, coder = load_codec(model, precision), load_entropy(model)
    counts = dict.fromkeys(codec.codebooks_for(rate) for rate in kbps)
    name = model_name(model) if precision == "f32" else f"{model_name(model)}-{precision}"
    return [CodecSystem(name, codec, count, coder) for count in counts]


def model_name(model: str | Path) -> str:
    """How files and reports call a model: the last folder that says something."""
    path = Path(model).resolve() if Path(model).exists() else Path(model)
    return path.parent.name if path.name == "packed" else path.name
