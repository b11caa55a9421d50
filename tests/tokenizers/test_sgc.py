import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.errors import UserError
from speechgen.tokenizers.sgc import SgcHeader, pack_sgc, read_sgc, unpack_sgc, write_sgc


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
    assert packed < size < packed + 200
    assert torch.equal(read_sgc(tmp_path / "a.sgc").codes, codes)
    assert [path.name for path in tmp_path.iterdir()] == ["a.sgc"]


@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_cut_file_is_read_up_to_the_cut(cut):
    codes, header = example()
    content = pack_sgc(codes, header)
    body = len(pack_sgc(codes[:, :0], header.model_copy(update={"frames": 0}))) + 10  # past any header
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
        (b"SGC\x01", "the header is cut off"),
        (b"SGC\x01\xff\xff{}", "damaged or cut off"),
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
    content = pack_sgc(codes, header)
    huge = pack_sgc(codes[:, :0], header.model_copy(update={"frames": 0}))
    # The header of an enormous file before the blocks of a small one.
    enormous = header.model_copy(update={"frames": 2**40})
    head = _head(enormous)
    read = unpack_sgc(head + content[len(huge) + 1 :])
    assert read.codes.numel() == 0
    assert "block 0" in read.damage


def _head(header):
    import zlib

    text = header.model_dump_json(exclude_defaults=True).encode()
    head = b"SGC\x01" + len(text).to_bytes(2, "little") + text
    return head + zlib.crc32(head).to_bytes(4, "little")


def test_codes_outside_their_codebook_are_refused():
    codes, header = example()
    with pytest.raises(ValueError, match="reach from"):
        pack_sgc(codes + 1000, header)
    packed = pack_sgc(codes[:, :100] * 0 + 1023, header.model_copy(update={"frames": 100}))
    small = header.model_copy(update={"frames": 100, "codebook_size": 1000})
    blocks = packed[-(header.block_bytes(100) + 4) :]
    with pytest.raises(UserError, match="code 1023 of a codebook of 1000"):
        unpack_sgc(_head(small) + blocks, "bad.sgc")
