"""Recordings of any length to .sgc files and back, in memory that hardly depends on the length."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.stream import read_pieces
from speechgen.errors import UserError
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.chunks import decode_stream, encode_stream
from speechgen.tokenizers.codec import Codec
from speechgen.tokenizers.sgc import EntropyCoder, SgcHeader, SgcReader


def encode_recording(
    codec: Codec, path: str | Path, codebooks: int, mix: bool = True, **names: str
) -> tuple[Tensor, SgcHeader]:
    """Codes (channels * codebooks, T) of a recording and the header of their file, but for its ``names``.

    Channels are mixed down or coded one by one. Codes of an hour take some megabytes; audio is never held whole.
    """
    samples, channels, parts = 0, 1, []

    def pieces() -> Iterator[Tensor]:
        nonlocal samples, channels
        for piece in read_pieces(path, codec.sample_rate, mix):
            samples, channels = samples + piece.shape[1], piece.shape[0]
            yield piece[:, None]

    for tokens in encode_stream(codec, pieces(), codebooks):
        parts.append(tokens.values.flatten(0, 1).to(torch.int32))
    codes = torch.cat(parts, dim=1)
    header = SgcHeader(
        **names,
        sample_rate=codec.sample_rate,
        hop=codec.hop,
        channels=channels,
        codebooks=codebooks,
        codebook_size=codec.codebook_size,
        frames=codes.shape[1],
        samples=samples,
    )
    return codes, header


def check_codec(header: SgcHeader, codec: Codec, weights: str, name: str) -> None:
    """Raises UserError when another codec made the codes."""
    if weights != header.weights:
        raise UserError(
            f"{name}: coded by {header.model!r} with weights {header.weights}, and the model given has {weights}; "
            "give the folder of the one that coded it with --model"
        )
    facts = ("sample_rate", "hop", "codebook_size")
    if header.codebooks > codec.codebooks or any(getattr(header, fact) != getattr(codec, fact) for fact in facts):
        raise UserError(f"{name}: the header does not fit its own model {header.model!r}; encode the audio again")


def samples_between(header: SgcHeader, name: str, start: float | None, end: float | None) -> tuple[int, int]:
    """The samples from ``start`` to ``end`` (seconds); raises UserError when there are none."""
    seconds = header.samples / header.sample_rate
    first = round((start or 0.0) * header.sample_rate)
    last = header.samples if end is None else min(header.samples, round(end * header.sample_rate))
    if not 0 <= first < last:
        asked = f"from {start or 0:g} to {seconds if end is None else end:g} s"
        raise UserError(f"{name}: {asked} there is no sound; the file lasts {seconds:.2f} s")
    return first, last


def decode_between(
    codec: Codec, reader: SgcReader, coder: EntropyCoder | None, first: int, last: int
) -> Iterator[Tensor]:
    """Samples ``first`` to ``last`` as pieces (channels, n), just as decoding the whole file gives them.

    Decoding starts as far before as the decoder's memory reaches; of a damaged file the pieces end early.
    """
    header = reader.header
    begin = 0 if math.isinf(codec.reach) else max(0, first // codec.hop - int(codec.reach))
    stretch = begin // header.block
    begin, end = stretch * header.block, -(-(last + codec.delay) // codec.hop)

    def pieces() -> Iterator[Tokens]:
        position = begin
        for codes in reader.codes(coder, stretch, (end - 1) // header.block):
            codes = codes[:, : end - position]
            position += codes.shape[1]
            yield Tokens(codes.view(header.channels, header.codebooks, -1), "discrete")

    position = begin * codec.hop
    for wave in decode_stream(codec, pieces()):
        wave, place = wave[:, 0].float(), position
        position += wave.shape[1]
        wave = wave[:, max(0, first - place) : max(0, last - place)]
        if wave.shape[1]:
            yield wave
