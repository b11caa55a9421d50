"""How well a codec's codebooks are used: usage, entropy and perplexity of each (van den Oord et al. 2017)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np


def codebook_facts(codes: Iterable[np.ndarray], size: int) -> dict | None:
    """Of all codes (K, T) together, by codebook: the share of entries in use, entropy in bits, perplexity.

    ``redundancy``: the share of the bits that an ideal entropy coder of single codes would save. With few frames
    beside ``size`` entries all of them come out low; ``frames`` says how many there were. None without codes.
    """
    together = [np.asarray(one) for one in codes]
    if not together or not sum(one.shape[1] for one in together):
        return None
    stacked = np.concatenate(together, axis=1)
    usage, entropy = [], []
    for book in stacked:
        counts = np.bincount(book, minlength=size)
        share = counts[counts > 0] / counts.sum()
        usage.append(float(np.mean(counts > 0)))
        entropy.append(float(-(share * np.log2(share)).sum()) + 0.0)
    return {
        "size": size,
        "frames": int(stacked.shape[1]),
        "usage": usage,
        "entropy": entropy,
        "perplexity": [float(2**bits) for bits in entropy],
        "redundancy": float(1 - np.mean(entropy) / np.log2(size)),
    }


def system_codebooks(folder: Path, log: dict) -> dict:
    """``tokens_per_second`` and ``codebooks`` of what a system coded; None for a system without codes."""
    size = log["settings"]["system"].get("codebook_size")
    entries = {name: entry for name, entry in log["utterances"].items() if entry.get("tokens")}
    if not size or not entries:
        return {"tokens_per_second": None, "codebooks": None}
    tokens, seconds = (sum(entry[key] for entry in entries.values()) for key in ("tokens", "seconds"))
    codes = (np.load(path) for name in entries if (path := folder / f"{name}.npy").exists())
    return {"tokens_per_second": tokens / seconds, "codebooks": codebook_facts(codes, size)}
