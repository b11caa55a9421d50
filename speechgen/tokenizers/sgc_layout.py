"""How a .sgc file is laid out: its header, and how codes become bits.

Layout, integers little-endian::

    "SGC" | version u8 | header length u16 | header: JSON, deflated | CRC32 u32 | block | block | ...
    block = [payload length u16, where the header names an entropy model] | payload | CRC32 u32

A block holds ``block`` frames of one channel (the last ones may hold fewer); the channels of a stretch of time follow
one another. Packed, a code takes as many bits as its codebook needs; codes run frame by frame, and within a frame
codebook by codebook. With an entropy model (``entropy.py``) a payload shorter than that is entropy-coded. No block
needs another one, so a file that was cut or damaged is read up to the first bad block. Nothing in it is executed.
"""

import zlib
from typing import Protocol, Self

import numpy as np
import pydantic

from speechgen.config import Config

MAGIC = b"SGC"
VERSION = 2
PREFIX = len(MAGIC) + 1 + 2  # magic, version, header length
CHECKSUM = 4
LENGTH = 2
MAX_BLOCK = 0xFFFF  # bytes
# What headers usually say, so that a deflated one is hardly longer than what is special about it.
USUAL = (
    b'"sample_rate":24000,"hop":480,"channels":2,"codebook_size":2048,"block":100'
    b'{"model":"speech-16k","weights":"0123456789abcdef","entropy":"","sample_rate":16000,"hop":320,'
    b'"codebooks":12,"codebooks":6,"codebooks":3,"codebook_size":1024,"frames":200,"samples":64000}'
)


class SgcHeader(Config):
    """What a decoder must know: which model made the codes, and how many samples to give back.

    ``weights`` is the fingerprint of the model's weights, so that no other model decodes the codes by mistake;
    ``entropy`` that of the entropy model, empty for packed codes. ``samples`` are those of one channel.
    """

    model: str = ""
    weights: str = ""
    entropy: str = ""
    sample_rate: int = pydantic.Field(gt=0, le=1_000_000)
    hop: int = pydantic.Field(gt=0, le=1_000_000)
    channels: int = pydantic.Field(default=1, gt=0, le=64)
    codebooks: int = pydantic.Field(gt=0, le=256)
    codebook_size: int = pydantic.Field(gt=1, le=2**24)
    frames: int = pydantic.Field(ge=0, le=2**40)
    samples: int = pydantic.Field(ge=0, le=2**48)
    block: int = pydantic.Field(default=200, gt=0, le=2**16)

    @pydantic.model_validator(mode="after")
    def _blocks_are_small(self) -> Self:
        if self.block_bytes(self.block) > MAX_BLOCK:
            raise ValueError(f"a block of {self.block} frames has more than {MAX_BLOCK} bytes")
        return self

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return (self.codebook_size - 1).bit_length()

    @property
    def rows(self) -> int:
        """Codes of one frame: the codebooks of every channel."""
        return self.channels * self.codebooks

    @property
    def blocks(self) -> int:
        """Blocks of a whole file."""
        return -(-self.frames // self.block) * self.channels

    def block_frames(self, number: int) -> int:
        """Frames of block ``number``."""
        return min(self.block, self.frames - number // self.channels * self.block)

    def block_bytes(self, frames: int) -> int:
        """Bytes of so many frames of one channel, packed, without their checksum."""
        return (frames * self.codebooks * self.bits + 7) // 8

    def seconds(self, frames: int) -> float:
        return frames * self.hop / self.sample_rate


class EntropyCoder(Protocol):
    """Shortens blocks of codes, without loss (``entropy.EntropyModel``)."""

    fingerprint: str
    codebooks: int
    codebook_size: int

    def compress(self, codes: np.ndarray) -> bytes:
        """Codes (K, T) to bytes."""

    def decompress(self, streams: list[bytes], codebooks: int, frames: list[int]) -> list[np.ndarray]:
        """The bytes of some blocks, each of so many frames, back to their codes (K, T)."""


def block_checksum(content: bytes, number: int) -> bytes:
    """The CRC32 of block ``number``, as it stands in the file."""
    # Started from the block's number, so that blocks that changed places are noticed.
    return zlib.crc32(content, number & 0xFFFFFFFF).to_bytes(CHECKSUM, "little")


def pack_bits(values: np.ndarray, bits: int) -> bytes:
    """Non-negative integers, ``bits`` each, least significant bit first."""
    flags = (values[:, None] >> np.arange(bits)) & 1
    return np.packbits(flags.astype(np.uint8).reshape(-1), bitorder="little").tobytes()


def unpack_bits(payload: bytes, bits: int, count: int) -> np.ndarray:
    """``count`` integers that ``pack_bits`` made."""
    flags = np.unpackbits(np.frombuffer(payload, np.uint8), count=count * bits, bitorder="little")
    return flags.reshape(count, bits).astype(np.int64) @ (1 << np.arange(bits, dtype=np.int64))
