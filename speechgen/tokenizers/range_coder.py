"""Range coding (Martin 1979) in whole numbers: symbols to bytes and back, with a distribution of its own for each.

Encoding is one stream at a time, decoding many streams side by side, which is how a small model on a CPU gets fast.
Nothing here depends on rounding, so every machine gives the same bytes.
"""

import numpy as np

FULL = 1 << 48  # of the interval; renewed by WORD bits as soon as it falls below LOW
LOW = 1 << 32
WORD = 16
MOST = 1 << 24  # of the total of a distribution


def encode(starts: list[int], widths: list[int], totals: list[int]) -> bytes:
    """The bytes of symbols, each the part [start, start + width) of [0, total); widths are at least 1."""
    low, interval, bits = 0, FULL, 48
    for start, width, total in zip(starts, widths, totals, strict=True):
        unit = interval // total
        low += unit * start
        interval = unit * width
        while interval < LOW:
            low <<= WORD
            interval <<= WORD
            bits += WORD
    # The shortest number within the interval; what is left out at the end is read as zeros.
    length = 0
    while True:
        cut = bits - 8 * length
        number = -(-low >> cut)
        if number << cut < low + interval:
            return number.to_bytes(length, "big")
        length += 1


class Decoder:
    """Reads as many streams (lanes) at a time as there are byte strings; any bytes decode to something."""

    def __init__(self, streams: list[bytes]):
        words = max(map(len, streams)) // 2 + 1
        self._words = np.zeros((len(streams), words), dtype=np.uint64)
        for row, stream in zip(self._words, streams, strict=True):
            row[:] = np.frombuffer(stream.ljust(2 * words, b"\0"), dtype=">u2")
        self._lanes = np.arange(len(streams))
        self._position = np.zeros(len(streams), dtype=np.int64)
        self._offset = np.zeros(len(streams), dtype=np.uint64)
        self._interval = np.full(len(streams), FULL, dtype=np.uint64)
        for _ in range(48 // WORD):
            self._shift(np.ones(len(streams), dtype=bool))

    def next(self, ends: np.ndarray) -> np.ndarray:
        """The next symbol of every lane (lanes,), by running totals of distributions (lanes, symbols), uint64."""
        unit = self._interval // ends[:, -1]
        place = np.minimum(self._offset // unit, ends[:, -1] - np.uint64(1))
        symbols = (ends <= place[:, None]).sum(1)
        starts = np.where(symbols > 0, ends[self._lanes, symbols - 1], np.uint64(0))
        self._offset -= unit * starts
        self._interval = unit * (ends[self._lanes, symbols] - starts)
        while (low := self._interval < LOW).any():
            self._interval[low] <<= np.uint64(WORD)
            self._shift(low)
        return symbols

    def _shift(self, which: np.ndarray) -> None:
        inside = np.minimum(self._position, self._words.shape[1] - 1)
        words = np.where(self._position < self._words.shape[1], self._words[self._lanes, inside], np.uint64(0))
        self._offset = np.where(which, (self._offset << np.uint64(WORD)) | words, self._offset)
        self._position += which
