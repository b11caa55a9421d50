import io
import struct
import time
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.errors import UserError
from speechgen.tokenizers.sgc import SgcHeader, SgcReader, SgcWriter, pack_sgc, read_sgc, unpack_sgc, write_sgc


def example(codebooks=4, frames=350, size=1024, block=100, seed=0):
    codes = torch.randint(0, size, (codebooks, frames), generator=torch.Generator().manual_seed(seed))
    header = SgcHeader(
        model="tiny", weights="0123abcd", sample_rate=16000, hop=320, codebooks=codebooks, codebook_size=size,
        frames=frames, samples=frames * 320, block=block,
    )  # fmt: skip
    return codes, header


@settings(max_examples=60, deadline=None)
@given(
    codebooks=st.integers(1, 9),
    frames=st.integers(0, 70),
    size=st.sampled_from([2, 3, 5, 240, 1000, 1024, 2048, 65536, 2**24]),
    block=st.integers(1, 80),
    seed=st.integers(0, 999),
)
def test_what_is_packed_comes_back(codebooks, frames, size, block, seed):
    codes, header = example(codebooks, frames, size, block, seed)
    read = unpack_sgc(pack_sgc(codes, header))
    assert torch.equal(read.codes, codes)
    assert read.header == header
    assert read.damage is None


def test_a_file_is_as_small_as_its_bits(tmp_path):
    codes, header = example(codebooks=6, frames=500)
    size = write_sgc(tmp_path / "a.sgc", codes, header)
    assert size == (tmp_path / "a.sgc").stat().st_size
    packed = 6 * 500 * 10 / 8
    assert packed < size < packed + 80
    assert torch.equal(read_sgc(tmp_path / "a.sgc").codes, codes)
    assert [path.name for path in tmp_path.iterdir()] == ["a.sgc"]


@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_cut_file_is_read_up_to_the_cut(cut):
    codes, header = example()
    content = pack_sgc(codes, header)
    body = len(_head(header))
    at = int(body + cut * (len(content) - body))
    read = unpack_sgc(content[:at], "cut.sgc")
    assert read.codes.shape[1] % 100 == 0
    assert torch.equal(read.codes, codes[:, : read.codes.shape[1]])
    assert f"block {read.codes.shape[1] // 100} is cut off" in read.damage


@settings(max_examples=100, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(where, bit):
    codes, header = example()
    content = bytearray(pack_sgc(codes, header))
    content[int(where * len(content))] ^= 1 << bit
    try:
        read = unpack_sgc(bytes(content), "bad.sgc")
    except UserError as error:
        assert str(error).startswith("bad.sgc: ")
        return
    assert "is damaged" in read.damage
    assert read.codes.shape[1] < codes.shape[1]
    assert torch.equal(read.codes, codes[:, : read.codes.shape[1]])


def test_damage_says_where_in_seconds():
    codes, header = example()
    content = bytearray(pack_sgc(codes, header))
    content[-1] ^= 0xFF
    damage = unpack_sgc(bytes(content), "a.sgc").damage
    assert damage == "a.sgc: block 3 is damaged: 6.00 of 7.00 seconds are left"


def test_exchanged_blocks_are_noticed():
    codes, header = example(frames=200)
    content = pack_sgc(codes, header)
    size = header.block_bytes(100) + 4
    start = len(content) - 2 * size
    swapped = content[:start] + content[start + size :] + content[start : start + size]
    assert unpack_sgc(swapped).codes.shape[1] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no .sgc file"),
        (b"RIFF....WAVE", "is no .sgc file"),
        (b"SGC\x02", "the header is cut off"),
        (b"SGC\x02\xff\xff{}", "damaged or cut off"),
        (b"SGC\x09\x00\x00....", "version 9"),
    ],
)
def test_what_is_no_sgc_file_is_refused(tmp_path, content, message):
    path = tmp_path / "x.sgc"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_sgc(path)


def test_a_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="nothing.sgc: cannot be read"):
        read_sgc(tmp_path / "nothing.sgc")
    codes, header = example(frames=1)
    with pytest.raises(UserError, match="cannot be written"):
        write_sgc(tmp_path / "no" / "folder.sgc", codes, header)


def test_a_header_that_lies_about_length_allocates_nothing():
    codes, header = example(frames=10)
    # The header of an enormous file before the blocks of a small one.
    enormous = header.model_copy(update={"frames": 2**40})
    read = unpack_sgc(_head(enormous) + pack_sgc(codes, header)[len(_head(header)) :])
    assert read.codes.numel() == 0
    assert "block 0" in read.damage


def _head(header):
    file = io.BytesIO()
    SgcWriter(file, header)
    return file.getvalue()


def test_codes_outside_their_codebook_are_refused():
    codes, header = example()
    with pytest.raises(ValueError, match="reach from"):
        pack_sgc(codes + 1000, header)
    packed = pack_sgc(codes[:, :100] * 0 + 1023, header.model_copy(update={"frames": 100}))
    small = header.model_copy(update={"frames": 100, "codebook_size": 1000})
    blocks = packed[-(header.block_bytes(100) + 4) :]
    with pytest.raises(UserError, match="code 1023 of a codebook of 1000"):
        unpack_sgc(_head(small) + blocks, "bad.sgc")


def test_writing_piece_by_piece_is_writing_at_once():
    codes, header = example(codebooks=3, frames=350)
    file = io.BytesIO()
    writer = SgcWriter(file, header)
    for piece in codes.split([1, 99, 120, 0, 130], dim=1):
        writer.write(piece)
    writer.close()
    assert file.getvalue() == pack_sgc(codes, header) and writer.size == len(file.getvalue())
    with pytest.raises(ValueError, match="the header says"):
        SgcWriter(io.BytesIO(), header).close()


def test_channels_keep_to_themselves_and_are_cut_together():
    codes, header = example(codebooks=6, frames=250, size=64)
    stereo = header.model_copy(update={"channels": 2, "codebooks": 3})
    content = pack_sgc(codes, stereo)
    assert torch.equal(unpack_sgc(content).codes, codes)
    broken = bytearray(content)
    broken[-1] ^= 1  # in the second channel's last block
    read = unpack_sgc(bytes(broken))
    assert torch.equal(read.codes, codes[:, :200]) and "block 5 is damaged: 4.00 of 5.00" in read.damage


def test_any_stretch_is_read_without_decoding_the_others():
    codes, header = example(frames=950)
    content = pack_sgc(codes, header)
    assert torch.equal(torch.cat(list(SgcReader(io.BytesIO(content)).codes(first=3, last=5)), 1), codes[:, 300:600])
    broken = bytearray(content)
    broken[-1] ^= 1
    reader = SgcReader(io.BytesIO(bytes(broken)))
    assert torch.equal(torch.cat(list(reader.codes(first=8)), 1), codes[:, 800:900])
    assert "block 9 is damaged" in reader.damage
    assert SgcReader(io.BytesIO(bytes(broken))).check() == 900 and SgcReader(io.BytesIO(content)).check() == 950


def test_a_block_too_large_to_hold_is_refused():
    _, header = example()
    values = {**header.model_dump(), "codebooks": 256, "block": 2**16}
    with pytest.raises(ValueError, match="more than 65535 bytes"):
        SgcHeader(**values)
    # Written by someone else, with a checksum that is right.
    import json

    deflater = zlib.compressobj(wbits=-15)
    packed = deflater.compress(json.dumps(values).encode()) + deflater.flush()
    head = b"SGC\x02" + struct.pack("<H", len(packed)) + packed
    with pytest.raises(UserError, match="the header makes no sense"):
        unpack_sgc(head + struct.pack("<I", zlib.crc32(head)))


def test_a_header_that_would_unpack_to_gigabytes_is_refused():
    deflater = zlib.compressobj(9, wbits=-15)
    packed = deflater.compress(b'{"model":"' + b"a" * 50_000_000) + deflater.flush()
    head = b"SGC\x02" + struct.pack("<H", len(packed)) + packed
    with pytest.raises(UserError, match="the header makes no sense"):
        unpack_sgc(head + struct.pack("<I", zlib.crc32(head)))


def corrupted(content: bytes, draw: np.random.Generator) -> bytes:
    """A file cut, with bits flipped, with bytes replaced, inserted or exchanged, or something else altogether."""
    content, kind = bytearray(content), draw.integers(6)
    place = int(draw.integers(len(content)))
    if kind == 0:
        del content[place:]
    elif kind == 1:
        for place in draw.integers(len(content), size=int(draw.integers(1, 20))):
            content[place] ^= 1 << int(draw.integers(8))
    elif kind == 2:
        content[place : place + 30] = draw.bytes(30)
    elif kind == 3:
        content[place:place] = draw.bytes(int(draw.integers(1, 50)))
    elif kind == 4:
        content = content[place:] + content[:place]
    else:  # foreign, though it begins like one of ours
        content = bytearray(b"SGC\x02"[: int(draw.integers(5))] + draw.bytes(int(draw.integers(2000))))
    return bytes(content)


@pytest.mark.parametrize("entropy", [False, True])
def test_whatever_happens_to_a_file_it_is_said_and_the_rest_is_right(entropy, entropy_model):
    codes, header = example(codebooks=3, frames=70, size=16, block=20)
    coder = entropy_model if entropy else None
    header = header.model_copy(update={"entropy": coder.fingerprint if coder else ""})
    content, draw, said = pack_sgc(codes, header, coder), np.random.default_rng(0), 0
    for _ in range(5000):
        bad, started = corrupted(content, draw), time.monotonic()
        try:
            read = unpack_sgc(bad, "bad.sgc", coder)
        except UserError as error:
            said += str(error).startswith("bad.sgc: ")
            continue
        finally:
            assert time.monotonic() - started < 5
        sound = read.codes.shape[1]
        assert torch.equal(read.codes, codes[:, :sound])
        if sound < 70:
            assert f"bad.sgc: block {sound // 20} is " in read.damage
            said += 1
    assert said > 0.9 * 5000  # the others changed nothing: bytes after the end, or a byte replaced by itself
