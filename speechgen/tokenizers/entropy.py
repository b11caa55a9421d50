"""A small causal model of a codec's codes, in whole numbers, so that every machine computes the same probabilities.

The distribution of a code depends on the codes of the last few frames and on the codebooks before it in its own frame.
Weights and activations are 8-bit integers, held as float32: sums stay below 2**24, where float32 is exact in any order
of adding, scales are powers of two, and the softmax is a table that lies with the weights. ``training/entropy.py``
fits one; it lies in ``entropy.safetensors`` beside the codec's weights. EnCodec (Défossez et al. 2022, section 3.3)
codes with a Transformer to the same end.
"""

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from speechgen.errors import UserError
from speechgen.tokenizers.range_coder import Decoder, encode

FILE = "entropy.safetensors"
ONE = 127  # the integer that stands for an activation of 1
EMBEDDING_SCALE = np.float32(0.25)  # of the sum of embeddings over codebooks
NAT = 2 * ONE  # steps of the softmax table per nat
PEAK = 1 << 14  # weight of the likeliest symbol; every symbol weighs at least 1
SUM = 1 << 23  # float32 holds every whole number up to twice this; a bias is added to a sum


def aside(fingerprint: str) -> str:
    """The name of the file of a model whose place another one took: what was coded with it still needs it."""
    return f"entropy-{fingerprint}.safetensors"


class EntropyModel:
    """``weights``: the arrays that ``training.entropy.quantise`` names, with a power-of-two ``*_shift`` for each."""

    def __init__(self, weights: dict[str, np.ndarray]):
        """Raises ValueError for arrays that do not belong together."""
        self.weights = weights
        try:
            self.codebooks, self.codebook_size, embedding = weights["past"].shape
            hidden, context = weights["context"].shape
            final = weights["mix"].shape[1]
        except (KeyError, ValueError):
            raise ValueError("not the arrays of an entropy model") from None
        self.frames = context // embedding  # of the past that a code depends on
        shapes = {
            "past": (self.codebooks, self.codebook_size, embedding),
            "present": (self.codebooks, self.codebook_size, embedding),
            "context": (hidden, self.frames * embedding),
            "context_bias": (hidden,),
            "deep": (hidden, hidden),
            "deep_bias": (hidden,),
            "mix": (self.codebooks, final, hidden + embedding),
            "mix_bias": (self.codebooks, final),
            "out": (self.codebooks, self.codebook_size, final),
            "out_bias": (self.codebooks, self.codebook_size),
            "shifts": (6,),
            "table": (len(softmax_table()),),
        }
        for name, shape in shapes.items():
            if name not in weights or weights[name].shape != shape or weights[name].dtype.kind != "i":
                raise ValueError(f"array {name!r} is missing or misshapen")
        if max(context, hidden + embedding) * ONE * ONE >= SUM or self.codebook_size * (PEAK + 1) >= 1 << 32:
            raise ValueError("the model is too wide to be exact")
        if not 0 <= weights["shifts"].min() <= weights["shifts"].max() <= 24 or weights["table"].min(initial=PEAK) < 1:
            raise ValueError("scales or the table make no sense")
        if any(
            np.abs(weights[f"{name}_bias"].astype(np.int64)).max() >= SUM for name in ("context", "deep", "mix", "out")
        ):
            raise ValueError("a bias is too large to be exact")
        digest = hashlib.sha256()
        for name in sorted(shapes):
            digest.update(name.encode() + np.ascontiguousarray(weights[name]).tobytes())
        self.fingerprint = digest.hexdigest()[:8]
        names = ("past", "present", "context", "deep", "mix", "out")
        self._scale = {
            name: np.float32(2.0 ** -int(shift)) for name, shift in zip(names, weights["shifts"], strict=True)
        }
        self._embedding = embedding
        self._past_table, self._present_table = (weights[name].astype(np.float32) * ONE for name in names[:2])
        self._context, self._deep = (weights[name].T.astype(np.float32) for name in ("context", "deep"))
        # The part of every codebook's mix that does not depend on the codes before it, in one matrix.
        mix = weights["mix"].astype(np.float32)
        self._mix_hidden = np.ascontiguousarray(mix[:, :, :hidden].reshape(-1, hidden).T)
        self._mix_present = np.ascontiguousarray(mix[:, :, hidden:].swapaxes(1, 2))
        self._out = np.ascontiguousarray(weights["out"].swapaxes(1, 2), dtype=np.float32)
        self._bias = {name: weights[f"{name}_bias"].astype(np.float32) for name in names[2:]}

    @classmethod
    def load(cls, path: str | Path) -> "EntropyModel":
        """Raises UserError for a file that holds something else."""
        try:
            return cls(safetensors.numpy.load_file(path))
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            raise UserError(f"{path}: no entropy model ({' '.join(str(error).split())[:120]})") from None

    def save(self, path: str | Path) -> str | None:
        """Write the file. Another model that was there is put ``aside``; returns its fingerprint then."""
        path, replaced = Path(path), None
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        safetensors.numpy.save_file(self.weights, partial)
        if path.exists():
            with contextlib.suppress(UserError):  # a damaged one is no loss
                older = EntropyModel.load(path).fingerprint
                if older != self.fingerprint:
                    path.rename(path.with_name(aside(older)))
                    replaced = older
        os.replace(partial, path)
        return replaced

    def compress(self, codes: np.ndarray) -> bytes:
        """Codes (K, T), of at most all codebooks, to bytes."""
        codebooks, frames = codes.shape
        past = np.zeros((self.frames + frames, self._embedding), dtype=np.float32)
        past[self.frames :] = self._past(codes)
        views = [past[self.frames - 1 - d : self.frames - 1 - d + frames] for d in range(self.frames)]
        hidden = self._hidden(np.concatenate(views, axis=1), codebooks)
        present = np.zeros((frames, self._embedding), dtype=np.float32)
        starts, widths, totals = [], [], []
        row = np.arange(frames)
        for k, chosen in enumerate(codes):
            ends = self._ends(k, hidden[k], present)
            start = np.where(chosen > 0, ends[row, chosen - 1], np.uint64(0))
            starts.append(start)
            widths.append(ends[row, chosen] - start)
            totals.append(ends[:, -1])
            present = present + self._present_table[k, chosen]
        # Frame by frame, and within a frame codebook by codebook.
        return encode(*(np.stack(part, axis=1).reshape(-1).tolist() for part in (starts, widths, totals)))

    def decompress(self, streams: list[bytes], codebooks: int, frames: list[int]) -> list[np.ndarray]:
        """What ``compress`` made of blocks of so many frames each, side by side, back to codes (K, T)."""
        lanes, decoder = len(streams), Decoder(streams)
        codes = np.zeros((lanes, codebooks, max(frames)), dtype=np.int64)
        past = np.zeros((lanes, self.frames * self._embedding), dtype=np.float32)  # newest first
        for t in range(max(frames)):
            hidden = self._hidden(past, codebooks)
            present = np.zeros((lanes, self._embedding), dtype=np.float32)
            for k in range(codebooks):
                chosen = decoder.next(self._ends(k, hidden[k], present))
                codes[:, k, t] = chosen
                present = present + self._present_table[k, chosen]
            past = np.concatenate([self._past(codes[:, :, t].T), past[:, : -self._embedding]], axis=1)
        return [block[:, :count] for block, count in zip(codes, frames, strict=True)]

    def _past(self, codes: np.ndarray) -> np.ndarray:
        """What frames (K, N) say to later ones: (N, embedding)."""
        total = sum(self._past_table[k, chosen] for k, chosen in enumerate(codes))
        return _activate(total * self._scale["past"] * EMBEDDING_SCALE)

    def _hidden(self, past: np.ndarray, codebooks: int) -> np.ndarray:
        """What the past says to each codebook's mix: (codebooks, N, final)."""
        hidden = _activate((past @ self._context + self._bias["context"]) * self._scale["context"])
        hidden = _activate((hidden @ self._deep + self._bias["deep"]) * self._scale["deep"] + hidden)
        width = self._mix_present.shape[2]
        mixed = hidden @ self._mix_hidden[:, : codebooks * width]
        return mixed.reshape(len(past), codebooks, width).swapaxes(0, 1) + self._bias["mix"][:codebooks, None]

    def _ends(self, k: int, hidden: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Running totals (N, codebook_size) of the distribution of codebook k's code."""
        present = _activate(present * self._scale["present"] * EMBEDDING_SCALE)
        mixed = _activate((hidden + present @ self._mix_present[k]) * self._scale["mix"])
        scores = mixed @ self._out[k] + self._bias["out"][k]
        below = (scores.max(axis=1, keepdims=True) - scores) * (2 * self._scale["out"])
        return self.weights["table"].take(below.astype(np.int32), mode="clip").cumsum(axis=1, dtype=np.uint64)


def softmax_table() -> np.ndarray:
    """Weights of symbols that are 0, 1, 2, ... steps of 1 / NAT nats less likely than the likeliest."""
    steps = np.arange(int(NAT * np.log(PEAK)) + 2)
    return (1 + np.floor(PEAK * np.exp(-steps / NAT))).astype(np.int32)


def _activate(x: np.ndarray) -> np.ndarray:
    """Whole-number activations between -ONE and ONE; halves go up."""
    return np.floor(x + np.float32(0.5)).clip(-ONE, ONE)
