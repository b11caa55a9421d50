"""The .sgc file: a codec's codes, bit-packed, in blocks that each prove themselves.

Layout, integers little-endian::

    "SGC" | version u8 | header length u16 | header JSON | CRC32 u32 | block | block | ...
    block = the codes of ``block`` frames (the last may hold fewer), packed | CRC32 u32

A code takes as many bits as its codebook needs; codes run frame by frame, and within a frame codebook by codebook.
A file that was cut or damaged is read up to the first bad block. Nothing in it is ever executed.
"""

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydantic
import torch
from torch import Tensor

from speechgen.config import Config
from speechgen.errors import UserError

MAGIC = b"SGC"
VERSION = 1
PREFIX = len(MAGIC) + 1 + 2  # magic, version, header length
CHECKSUM = 4


class SgcHeader(Config):
    """What a decoder must know: which model made the codes, and how many samples to give back.

    ``weights`` is the fingerprint of the model's weights, so that no other model decodes the codes by mistake.
    """

    model: str = ""
    weights: str = ""
    sample_rate: int = pydantic.Field(gt=0, le=1_000_000)
    hop: int = pydantic.Field(gt=0, le=1_000_000)
    codebooks: int = pydantic.Field(gt=0, le=256)
    codebook_size: int = pydantic.Field(gt=1, le=2**24)
    frames: int = pydantic.Field(ge=0, le=2**40)
    samples: int = pydantic.Field(ge=0, le=2**48)
    block: int = pydantic.Field(default=100, gt=0, le=2**20)

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return (self.codebook_size - 1).bit_length()

    def block_bytes(self, frames: int) -> int:
        """Bytes of so many frames, packed, without their checksum."""
        return (frames * self.codebooks * self.bits + 7) // 8


@dataclass(frozen=True)
class SgcFile:
    """What was read: codes (K, T) long, and, of a damaged file, a sentence on where it breaks off."""

    header: SgcHeader
    codes: Tensor
    damage: str | None = None


def pack_sgc(codes: Tensor, header: SgcHeader) -> bytes:
    """Codes (K, T) in [0, codebook_size) as the bytes of a .sgc file."""
    if tuple(codes.shape) != (header.codebooks, header.frames):
        raise ValueError(f"codes are {tuple(codes.shape)}, the header says {(header.codebooks, header.frames)}")
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < header.codebook_size:
        raise ValueError(f"codes reach from {int(codes.min())} to {int(codes.max())}, of {header.codebook_size}")
    text = header.model_dump_json(exclude_defaults=True).encode()
    if len(text) > 0xFFFF:
        raise ValueError("the header is longer than 65535 bytes")
    head = MAGIC + bytes([VERSION]) + len(text).to_bytes(2, "little") + text
    parts = [head, _checksum(head, 0)]
    frames = codes.t().cpu().numpy()
    for number, start in enumerate(range(0, header.frames, header.block)):
        payload = _pack(frames[start : start + header.block].reshape(-1), header.bits)
        parts += [payload, _checksum(payload, number)]
    return b"".join(parts)


def unpack_sgc(content: bytes, name: str = "file") -> SgcFile:
    """The reverse of ``pack_sgc``; raises UserError when not even the header can be trusted."""
    header, position = _read_header(content, name)
    blocks: list[np.ndarray] = []
    damage = None
    for number, start in enumerate(range(0, header.frames, header.block)):
        frames = min(header.block, header.frames - start)
        end = position + header.block_bytes(frames)
        payload, checksum = content[position:end], content[end : end + CHECKSUM]
        fault = "is cut off" if len(checksum) < CHECKSUM else "is damaged"
        if checksum != _checksum(payload, number):
            seconds, whole = (n * header.hop / header.sample_rate for n in (start, header.frames))
            damage = f"{name}: block {number} {fault}: {seconds:.2f} of {whole:.2f} seconds are left"
            break
        blocks.append(_unpack(payload, header.bits, frames * header.codebooks).reshape(frames, header.codebooks))
        position = end + CHECKSUM
    codes = np.concatenate(blocks) if blocks else np.zeros((0, header.codebooks), dtype=np.int64)
    # A checksum cannot vouch for a writer that was wrong: no code may lie outside its codebook.
    if codes.size and codes.max() >= header.codebook_size:
        raise UserError(f"{name}: holds code {codes.max()} of a codebook of {header.codebook_size}; encode it again")
    return SgcFile(header, torch.from_numpy(np.ascontiguousarray(codes.T)), damage)


def write_sgc(path: str | Path, codes: Tensor, header: SgcHeader) -> int:
    """Write codes (K, T) as a .sgc file, which appears complete or not at all; returns its bytes."""
    path = Path(path)
    content = pack_sgc(codes, header)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None
    finally:
        temporary.unlink(missing_ok=True)
    return len(content)


def read_sgc(path: str | Path) -> SgcFile:
    """Read a .sgc file as far as it is sound; raises UserError for a file that is none."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return unpack_sgc(content, str(path))


def _read_header(content: bytes, name: str) -> tuple[SgcHeader, int]:
    if content[: len(MAGIC)] != MAGIC:
        raise UserError(f"{name}: is no .sgc file; 'speechgen codec encode' makes one")
    if len(content) < PREFIX:
        raise UserError(f"{name}: the header is cut off; copy the file again")
    if content[len(MAGIC)] != VERSION:
        raise UserError(f"{name}: .sgc version {content[len(MAGIC)]}, this speechgen reads {VERSION}; update it")
    end = PREFIX + int.from_bytes(content[PREFIX - 2 : PREFIX], "little")
    if content[end : end + CHECKSUM] != _checksum(content[:end], 0):
        raise UserError(f"{name}: the header is damaged or cut off; copy the file again")
    try:
        return SgcHeader.model_validate(json.loads(content[PREFIX:end])), end + CHECKSUM
    except (ValueError, RecursionError):
        raise UserError(f"{name}: the header makes no sense; encode the audio again") from None


def _checksum(content: bytes, number: int) -> bytes:
    # Started from the block's number, so that blocks that changed places are noticed.
    return zlib.crc32(content, number).to_bytes(CHECKSUM, "little")


def _pack(values: np.ndarray, bits: int) -> bytes:
    """Non-negative integers, ``bits`` each, least significant bit first."""
    flags = (values[:, None] >> np.arange(bits)) & 1
    return np.packbits(flags.astype(np.uint8).reshape(-1), bitorder="little").tobytes()


def _unpack(payload: bytes, bits: int, count: int) -> np.ndarray:
    flags = np.unpackbits(np.frombuffer(payload, np.uint8), count=count * bits, bitorder="little")
    return flags.reshape(count, bits).astype(np.int64) @ (1 << np.arange(bits, dtype=np.int64))
