"""EnCodec, DAC and Mimi of transformers, behind the words of our own codec."""

import json
import math
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.evaluation.coding import CodecSystem
from speechgen.tokenizers.base import Tokens

Kind = Literal["encodec", "dac", "mimi"]


class PretrainedCodec(nn.Module):
    """One of the three, from a transformers config (random weights) or from a folder of published weights."""

    def __init__(self, kind: Kind, model: nn.Module):
        super().__init__()
        config = model.config
        self.kind, self.model = kind, model.eval().requires_grad_(False)
        self.sample_rate, self.codebook_size = config.sampling_rate, config.codebook_size
        strides = math.prod(config.downsampling_ratios if kind == "dac" else config.upsampling_ratios)
        # Mimi halves the frame rate once more behind its convolutions.
        self.hop = round(config.sampling_rate / config.frame_rate) if kind == "mimi" else strides
        self.codebooks = config.n_codebooks if kind == "dac" else config.num_quantizers

    @classmethod
    def from_config(cls, kind: Kind, values: dict | None = None) -> "PretrainedCodec":
        """Random weights; the published sizes where ``values`` does not say otherwise."""
        import transformers

        made = {
            "encodec": (transformers.EncodecConfig, transformers.EncodecModel),
            "dac": (transformers.DacConfig, transformers.DacModel),
            "mimi": (transformers.MimiConfig, transformers.MimiModel),
        }
        config, model = made[kind]
        return cls(kind, model(config(**(values or {}))))

    @classmethod
    def from_folder(cls, kind: Kind, folder: str | Path) -> "PretrainedCodec":
        """Weights saved by transformers; nothing is downloaded. Raises UserError when they are not there."""
        import transformers

        classes = {"encodec": "EncodecModel", "dac": "DacModel", "mimi": "MimiModel"}
        try:
            found = json.loads(Path(folder, "config.json").read_text(encoding="utf-8")).get("model_type")
        except (OSError, ValueError, AttributeError):
            raise UserError(f"{folder or kind}: no config.json of transformers' {kind}; give '{kind}:FOLDER'") from None
        if found != kind:
            raise UserError(f"{folder}: holds transformers' {found}, not {kind}; give '{kind}:FOLDER'")
        try:
            model, loaded = getattr(transformers, classes[kind]).from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise UserError(f"{folder}: cannot be loaded as {kind} ({' '.join(str(error).split())[:120]})") from None
        # transformers would make up what is missing.
        if missing := sorted(loaded["missing_keys"]):
            raise UserError(f"{folder}: {len(missing)} weights of {kind} are missing, such as {missing[0]}")
        return cls(kind, model)

    @property
    def frame_rate(self) -> float:
        """Frames per second, in Hz."""
        return self.sample_rate / self.hop

    def kbps(self, codebooks: int) -> float:
        """Nominal kbit/s of so many codebooks."""
        return self.frame_rate * codebooks * math.log2(self.codebook_size) / 1000

    def codebooks_for(self, kbps: float) -> int:
        """The most codebooks that fit into a bitrate; raises UserError when the codec has no such bitrate."""
        count = int(kbps / self.kbps(1) + 1e-6)
        if not 1 <= count <= self.codebooks:
            lowest, highest = self.kbps(1), self.kbps(self.codebooks)
            raise UserError(f"{kbps:g} kbit/s: {self.kind} has {lowest:g} to {highest:g} kbit/s")
        return count

    def encode(self, wave: Tensor, codebooks: int | None = None) -> Tokens:
        """(B, 1, samples) to codes (B, K, T)."""
        count = codebooks or self.codebooks
        if self.kind == "dac":
            codes = self.model.encode(wave, n_quantizers=count).audio_codes
        elif self.kind == "mimi":
            codes = self.model.encode(wave, num_quantizers=count).audio_codes
        else:
            # EnCodec knows a few bitrates only; codes of fewer books are the first ones of more.
            bandwidth = min(b for b in self.model.config.target_bandwidths if b >= self.kbps(count) - 1e-6)
            codes = self.model.encode(wave, bandwidth=bandwidth).audio_codes[0]
        return Tokens(codes[:, :count], "discrete")

    def decode(self, tokens: Tokens) -> Tensor:
        """Codes back to (B, 1, about frames * hop)."""
        if self.kind == "dac":
            wave = self.model.decode(audio_codes=tokens.values).audio_values
        elif self.kind == "mimi":
            wave = self.model.decode(tokens.values).audio_values
        else:
            wave = self.model.decode(tokens.values[None], [None]).audio_values
        return wave.reshape(len(tokens.values), 1, -1)


def load_pretrained(kind: Kind, folder: str, kbps: list[float]) -> list[CodecSystem]:
    """Systems at those of the bitrates that the codec has; raises UserError when it has none of them."""
    codec = PretrainedCodec.from_folder(kind, folder)
    counts = sorted({int(rate / codec.kbps(1) + 1e-6) for rate in kbps})
    counts = [count for count in counts if 1 <= count <= codec.codebooks]
    if not counts:
        codec.codebooks_for(kbps[0])
    return [CodecSystem(kind, codec, count) for count in counts]
