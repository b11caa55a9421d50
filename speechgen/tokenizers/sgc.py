"""The .sgc file: a codec's codes, bit-packed or entropy-coded, in blocks that each prove themselves.

No block needs another one, so a file that was cut or damaged is read up to the first bad block. Nothing in it is
executed. ``sgc_layout.py`` says which byte means what.
"""

import io
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.tokenizers.sgc_layout import (
    CHECKSUM,
    LENGTH,
    MAGIC,
    PREFIX,
    USUAL,
    VERSION,
    EntropyCoder,
    SgcHeader,
    block_checksum,
    pack_bits,
    unpack_bits,
)

TOGETHER = 32  # blocks that are entropy-decoded side by side


@dataclass(frozen=True)
class SgcFile:
    """What was read: codes (channels * K, T) long, and, of a damaged file, a sentence on where it breaks off."""

    header: SgcHeader
    codes: Tensor
    damage: str | None = None


class SgcWriter:
    """Writes codes as they come. ``close`` once ``header.frames`` frames are written; ``size`` counts the bytes."""

    def __init__(self, file: BinaryIO, header: SgcHeader, coder: EntropyCoder | None = None):
        _check_coder(header, coder, "file")
        self.header, self.size = header, 0
        self._file, self._coder = file, coder
        self._number, self._waiting = 0, np.zeros((header.rows, 0), dtype=np.int64)
        text = zlib.compressobj(9, wbits=-15, zdict=USUAL)
        packed = text.compress(header.model_dump_json(exclude_defaults=True).encode()) + text.flush()
        if len(packed) > 0xFFFF:
            raise ValueError("the header is longer than 65535 bytes")
        head = MAGIC + bytes([VERSION]) + len(packed).to_bytes(2, "little") + packed
        self._put(head + block_checksum(head, 0))

    def write(self, codes: Tensor) -> None:
        """The next frames (channels * K, T), with codes in [0, codebook_size)."""
        header = self.header
        if codes.shape[0] != header.rows:
            raise ValueError(f"codes are {tuple(codes.shape)}, the header says {(header.rows, header.frames)}")
        if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < header.codebook_size:
            raise ValueError(f"codes reach from {int(codes.min())} to {int(codes.max())}, of {header.codebook_size}")
        self._waiting = np.concatenate([self._waiting, codes.cpu().numpy()], axis=1)
        while self._waiting.shape[1] >= header.block:
            self._put_block(self._waiting[:, : header.block])
            self._waiting = self._waiting[:, header.block :]

    def close(self) -> None:
        if self._waiting.shape[1]:
            self._put_block(self._waiting)
        if self._number != self.header.blocks:
            raise ValueError(f"{self._number} blocks were written, the header says {self.header.blocks}")

    def _put_block(self, codes: np.ndarray) -> None:
        for channel in np.split(codes, self.header.channels):
            payload = pack_bits(channel.T.reshape(-1), self.header.bits)
            if self._coder:
                short = self._coder.compress(channel)
                payload = short if len(short) < len(payload) else payload
                payload = len(payload).to_bytes(LENGTH, "little") + payload
            self._put(payload + block_checksum(payload, self._number))
            self._number += 1

    def _put(self, content: bytes) -> None:
        self._file.write(content)
        self.size += len(content)


class SgcReader:
    """Reads the header at once, and the blocks when asked for; memory does not depend on the file's length.

    Raises UserError when not even the header can be trusted. ``size`` counts the bytes read; ``damage`` is a sentence
    on where the file breaks off, once that place is reached, and ``surplus`` one on what follows its last block.
    """

    def __init__(self, file: BinaryIO, name: str = "file"):
        self.name, self.size = name, 0
        self.damage: str | None = None
        self.surplus: str | None = None
        self._file = file
        self.header = self._read_header()

    def codes(self, coder: EntropyCoder | None = None, first: int = 0, last: int | None = None) -> Iterator[Tensor]:
        """Codes (channels * K, T) of one stretch of ``block`` frames after the other, up to the end or the damage.

        ``first``, ``last``: the stretches wanted. Those before are checked, not decoded; those after not even read.
        """
        header = self.header
        coder = coder if header.entropy else None
        _check_coder(header, coder, self.name)
        waiting: list[np.ndarray] = []
        for group in self._groups(first * header.channels, None if last is None else (last + 1) * header.channels):
            waiting += self._decoded(group, coder)
            whole = len(waiting) // header.channels * header.channels
            for first in range(0, whole, header.channels):
                yield torch.from_numpy(np.concatenate(waiting[first : first + header.channels]))
            waiting = waiting[whole:]

    def check(self) -> int:
        """Read to the end without decoding: how many frames are sound in every channel."""
        blocks = sum(len(group) for group in self._groups(0, None))
        return min(self.header.frames, blocks // self.header.channels * self.header.block)

    def _groups(self, first: int, end: int | None) -> Iterator[list[tuple[int, bytes]]]:
        """Sound payloads of blocks ``first`` to ``end`` with their frames, TOGETHER at a time."""
        group, blocks = [], self.header.blocks
        for number in range(blocks if end is None else min(end, blocks)):
            payload = self._read_block(number)
            if payload is None:
                break
            if number >= first:
                group.append((self.header.block_frames(number), payload))
            if len(group) == TOGETHER:
                yield group
                group = []
        if group:
            yield group
        at_end = self.damage is None and (end is None or end >= blocks)
        if at_end and self._file.seekable() and self._file.read(1):  # a pipe may stay open, and would be waited for
            self.surplus = f"{self.name}: more follows its end, perhaps a second file, and is not read"

    def _read_block(self, number: int) -> bytes | None:
        header, frames = self.header, self.header.block_frames(number)
        length = header.block_bytes(frames)
        prefix = self._read(LENGTH) if header.entropy else b""
        if header.entropy:
            length = min(length, int.from_bytes(prefix, "little"))
        payload, checksum = self._read(length), self._read(CHECKSUM)
        if checksum == block_checksum(prefix + payload, number):
            return payload
        fault = "is cut off" if len(checksum) < CHECKSUM else "is damaged"
        sound = number // header.channels * header.block
        left, whole = header.seconds(sound), header.seconds(header.frames)
        self.damage = f"{self.name}: block {number} {fault}: {left:.2f} of {whole:.2f} seconds are left"
        return None

    def _decoded(self, group: list[tuple[int, bytes]], coder: EntropyCoder | None) -> list[np.ndarray]:
        header = self.header
        short = [i for i, (frames, payload) in enumerate(group) if len(payload) < header.block_bytes(frames)]
        blocks: dict[int, np.ndarray] = {}
        if short:
            streams, frames = [group[i][1] for i in short], [group[i][0] for i in short]
            blocks = dict(zip(short, coder.decompress(streams, header.codebooks, frames), strict=True))
        for i, (frames, payload) in enumerate(group):
            if i not in blocks:
                codes = unpack_bits(payload, header.bits, frames * header.codebooks)
                blocks[i] = np.ascontiguousarray(codes.reshape(frames, header.codebooks).T)
            # A checksum cannot vouch for a writer that was wrong: no code may lie outside its codebook.
            if (largest := blocks[i].max()) >= header.codebook_size:
                raise UserError(
                    f"{self.name}: holds code {largest} of a codebook of {header.codebook_size}; encode it again"
                )
        return [blocks[i] for i in range(len(group))]

    def _read_header(self) -> SgcHeader:
        head = self._read(PREFIX)
        if head[: len(MAGIC)] != MAGIC:
            raise UserError(f"{self.name}: is no .sgc file; 'speechgen codec encode' makes one")
        if len(head) < PREFIX:
            raise UserError(f"{self.name}: the header is cut off; copy the file again")
        if head[len(MAGIC)] != VERSION:
            raise UserError(
                f"{self.name}: .sgc version {head[len(MAGIC)]}, this speechgen reads {VERSION}; encode the audio again"
            )
        packed = self._read(int.from_bytes(head[PREFIX - 2 :], "little"))
        if self._read(CHECKSUM) != block_checksum(head + packed, 0):
            raise UserError(f"{self.name}: the header is damaged or cut off; copy the file again")
        try:
            text = zlib.decompressobj(wbits=-15, zdict=USUAL).decompress(packed, 0xFFFF)
            return SgcHeader.model_validate(json.loads(text))
        except (ValueError, RecursionError, zlib.error):
            raise UserError(f"{self.name}: the header makes no sense; encode the audio again") from None

    def _read(self, count: int) -> bytes:
        content = self._file.read(count) or b""
        while len(content) < count and (more := self._file.read(count - len(content))):  # a pipe gives what it has
            content += more
        self.size += len(content)
        return content


def pack_sgc(codes: Tensor, header: SgcHeader, coder: EntropyCoder | None = None) -> bytes:
    """Codes (channels * K, T) in [0, codebook_size) as the bytes of a .sgc file."""
    file = io.BytesIO()
    writer = SgcWriter(file, header, coder)
    if codes.shape[1] != header.frames:
        raise ValueError(f"codes are {tuple(codes.shape)}, the header says {(header.rows, header.frames)}")
    writer.write(codes)
    writer.close()
    return file.getvalue()


def unpack_sgc(content: bytes, name: str = "file", coder: EntropyCoder | None = None) -> SgcFile:
    """The reverse of ``pack_sgc``; raises UserError when not even the header can be trusted."""
    return _read_all(SgcReader(io.BytesIO(content), name), coder)


def write_sgc(path: str | Path, codes: Tensor, header: SgcHeader, coder: EntropyCoder | None = None) -> int:
    """Write codes (channels * K, T) as a .sgc file, which appears complete or not at all; returns its bytes."""
    path = Path(path)
    content = pack_sgc(codes, header, coder)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None
    finally:
        temporary.unlink(missing_ok=True)
    return len(content)


def read_sgc(path: str | Path, coder: EntropyCoder | None = None) -> SgcFile:
    """Read a .sgc file as far as it is sound; raises UserError for a file that is none."""
    with open_sgc(path) as file:
        return _read_all(SgcReader(file, str(path)), coder)


def open_sgc(path: str | Path) -> BinaryIO:
    """Open a file for an ``SgcReader``; raises UserError when it is missing."""
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _read_all(reader: SgcReader, coder: EntropyCoder | None) -> SgcFile:
    parts = [torch.zeros(reader.header.rows, 0, dtype=torch.long), *reader.codes(coder)]
    return SgcFile(reader.header, torch.cat(parts, dim=1), reader.damage)


def _check_coder(header: SgcHeader, coder: EntropyCoder | None, name: str) -> None:
    have = coder.fingerprint if coder else ""
    if header.entropy and have != header.entropy:
        raise UserError(
            f"{name}: its codes are entropy-coded with model {header.entropy}, and the codec given has "
            f"{have or 'none'}; give the folder of the codec that coded it with --model"
        )
    if coder and (coder.codebooks < header.codebooks or coder.codebook_size != header.codebook_size):
        raise UserError(
            f"{name}: {header.codebooks} codebooks of {header.codebook_size}, and its entropy model knows "
            f"{coder.codebooks} of {coder.codebook_size}; encode the audio again"
        )
    if coder and not header.entropy:
        raise ValueError("an entropy coder, and a header that names none")
