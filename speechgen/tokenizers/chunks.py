"""Coding recordings of any length in little memory: chunk by chunk, sample for sample what coding at once gives."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.codec import Codec

SECONDS = 10.0


@torch.inference_mode()
def encode_stream(
    codec: Codec, pieces: Iterable[Tensor], codebooks: int | None = None, seconds: float = SECONDS
) -> Iterator[Tokens]:
    """Pieces (B, 1, n) of any lengths, one after another, to the tokens that ``codec.encode`` gives for the whole.

    A codec that cannot stream takes the whole at once after all, here and below.
    """
    if not codec.streams:
        wave = torch.cat(list(pieces), dim=-1)
        yield codec.encode(wave, codebooks)
        return
    size = _whole_frames(codec, seconds) * codec.hop
    state, waiting, samples = None, None, 0
    for piece in pieces:
        samples += piece.shape[-1]
        waiting = piece if waiting is None else torch.cat([waiting, piece], dim=-1)
        state = codec.initial_state(len(piece)) if state is None else state
        while waiting.shape[-1] >= size:
            tokens, state = codec.encode_step(waiting[..., :size], state, codebooks)
            yield tokens
            waiting = waiting[..., size:]
    if waiting is None:
        return
    silence = waiting.new_zeros(*waiting.shape[:-1], -samples % codec.hop + codec.delay)
    rest = torch.cat([waiting, silence], dim=-1)
    if rest.shape[-1]:
        yield codec.encode_step(rest, state, codebooks)[0]


@torch.inference_mode()
def decode_stream(codec: Codec, pieces: Iterable[Tokens], seconds: float = SECONDS) -> Iterator[Tensor]:
    """Tokens, one piece after another, to the samples (B, 1, n) that are ready, as ``codec.decode`` of the whole."""
    state = None
    if not codec.streams:
        parts = list(pieces)
        yield codec.decode(Tokens(torch.cat([part.values for part in parts], -1), parts[0].kind))
        return
    for piece in pieces:
        state = codec.initial_state(len(piece.values)) if state is None else state
        for values in piece.values.split(_whole_frames(codec, seconds), dim=-1):
            wave, state = codec.decode_step(Tokens(values, piece.kind), state)
            yield wave


def encode_in_chunks(codec: Codec, wave: Tensor, codebooks: int | None = None, seconds: float = SECONDS) -> Tokens:
    """As ``codec.encode``: (B, 1, samples) to tokens, a chunk of so many seconds at a time."""
    parts = list(encode_stream(codec, [wave], codebooks, seconds))
    return Tokens(torch.cat([part.values for part in parts], -1), parts[0].kind)


def decode_in_chunks(codec: Codec, tokens: Tokens, seconds: float = SECONDS) -> Tensor:
    """As ``codec.decode``: tokens to (B, 1, frames * hop - delay), a chunk of so many seconds at a time."""
    return torch.cat(list(decode_stream(codec, [tokens], seconds)), -1)


def _whole_frames(codec: Codec, seconds: float) -> int:
    return max(1, round(seconds * codec.frame_rate))
