"""Coding recordings of any length in little memory: chunk by chunk, sample for sample what coding at once gives."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.codec import Codec

SECONDS = 10.0


@torch.inference_mode()
def encode_in_chunks(codec: Codec, wave: Tensor, codebooks: int | None = None, seconds: float = SECONDS) -> Tokens:
    """As ``codec.encode``: (B, 1, samples) to tokens, a chunk of so many seconds at a time."""
    padded = pad(wave, (0, -wave.shape[-1] % codec.hop + codec.delay))
    state, parts = codec.initial_state(len(wave)), []
    for chunk in padded.split(_whole_frames(codec, seconds) * codec.hop, dim=-1):
        tokens, state = codec.encode_step(chunk, state, codebooks)
        parts.append(tokens.values)
    return Tokens(torch.cat(parts, -1), tokens.kind)


@torch.inference_mode()
def decode_in_chunks(codec: Codec, tokens: Tokens, seconds: float = SECONDS) -> Tensor:
    """As ``codec.decode``: tokens to (B, 1, frames * hop - delay), a chunk of so many seconds at a time."""
    state, parts = codec.initial_state(len(tokens.values)), []
    for values in tokens.values.split(_whole_frames(codec, seconds), dim=-1):
        wave, state = codec.decode_step(Tokens(values, tokens.kind), state)
        parts.append(wave)
    return torch.cat(parts, -1)


def _whole_frames(codec: Codec, seconds: float) -> int:
    return max(1, round(seconds * codec.frame_rate))
