"""Range coding: what goes in comes out, in about as many bits as the probabilities allow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgen.tokenizers.range_coder import Decoder, encode


def distributions(count: int, size: int, peak: int, seed: int) -> np.ndarray:
    """Running totals (count, size) of weights between 1 and ``peak``."""
    draw = np.random.default_rng(seed)
    return (1 + (peak * draw.random((count, size)) ** 8).astype(np.uint64)).cumsum(axis=1, dtype=np.uint64)


def coded(ends: np.ndarray, symbols: np.ndarray) -> bytes:
    row = np.arange(len(ends))
    starts = np.where(symbols > 0, ends[row, symbols - 1], np.uint64(0))
    return encode(starts.tolist(), (ends[row, symbols] - starts).tolist(), ends[:, -1].tolist())


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 60), size=st.sampled_from([1, 2, 5, 300]), peak=st.sampled_from([1, 100, 2**20]),
    lanes=st.integers(1, 4), seed=st.integers(0, 999),
)  # fmt: skip
def test_symbols_come_back_in_every_lane(count, size, peak, lanes, seed):
    ends = [distributions(count, size, peak, seed + lane) for lane in range(lanes)]
    symbols = np.random.default_rng(seed).integers(size, size=(lanes, count))
    decoder = Decoder([coded(*lane) for lane in zip(ends, symbols, strict=True)])
    for step in range(count):
        assert (decoder.next(np.stack([lane[step] for lane in ends])) == symbols[:, step]).all()


@pytest.mark.parametrize("rarest", [True, False])
def test_the_ends_of_distributions_come_back(rarest):
    ends = np.tile(np.array([1 << 24, (1 << 24) + 1], dtype=np.uint64), (500, 1))
    symbols = np.full(500, int(rarest))
    stream = coded(ends, symbols)
    assert (len(stream) == 0) if not rarest else (1490 < len(stream) < 1510)  # 24 bits each
    decoder = Decoder([stream])
    assert all(decoder.next(row[None]) == symbols[0] for row in ends)


def test_as_many_bits_as_the_probabilities_say():
    ends = distributions(4000, 64, 2**14, 0)
    widths = np.diff(ends.astype(np.float64), axis=1, prepend=0)
    share = widths / widths.sum(1, keepdims=True)
    draw = np.random.default_rng(1)
    symbols = np.array([draw.choice(64, p=row) for row in share])
    bits = -np.log2(share[np.arange(4000), symbols]).sum()
    assert bits <= 8 * len(coded(ends, symbols)) < 1.001 * bits + 16


def test_any_bytes_decode_to_something():
    decoder = Decoder([b"", b"\xff" * 9, bytes(range(5))])
    ends = distributions(3, 7, 50, 0)
    for _ in range(200):
        assert (decoder.next(ends) < 7).all()
