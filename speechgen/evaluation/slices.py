"""Groups of recordings that a codec may serve unequally: by speaker, sex, age, pitch, loudness, noise and length."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.loudness import loudness
from speechgen.audio.pitch import pitch_track
from speechgen.evaluation.recordings import corpora

FRAME_SECONDS = 0.02
QUIETEST = 1e-8  # of power, -80 dB: what digital silence counts as
SEXES = {"m": "male", "f": "female"}
AGES = ((0, 12), (13, 19), (20, 39), (40, 59), (60, 150))
MOST_VALUES = 12  # different words that an extra of a Kaldi directory may have to be a slice
# What is measured, by its name in the report: title and unit.
MEASURED = {"f0": ("F0", "Hz"), "loudness": ("loudness", "LUFS"), "snr": ("SNR", "dB"), "seconds": ("duration", "s")}


@dataclass(frozen=True)
class Slice:
    """``by`` what the recordings are told apart, the ``value`` of these, and their names."""

    by: str
    value: str
    names: tuple[str, ...]


def measure(wave: Tensor, sample_rate: int) -> dict[str, float | None]:
    """F0 (median, Hz), loudness (LUFS), signal-to-noise ratio (dB) and duration (s) of a recording (T,)."""
    track = pitch_track(wave, sample_rate)
    level = loudness(wave, sample_rate)
    return {
        "f0": None if np.isnan(track).all() else float(np.nanmedian(track)),
        "loudness": level if np.isfinite(level) else None,
        "snr": signal_to_noise(wave, sample_rate),
        "seconds": len(wave) / sample_rate,
    }


def signal_to_noise(wave: Tensor, sample_rate: int) -> float | None:
    """How far, in dB, the loud frames (95th percentile of 20 ms) lie above the quiet ones (10th), at most 80.

    An estimate: speech has pauses, in which the noise is alone. None for less than a quarter of a second.
    """
    size = round(FRAME_SECONDS * sample_rate)
    if len(wave) < 12 * size:
        return None
    power = wave.unfold(0, size, size).square().mean(-1).clamp_min(QUIETEST)
    quiet, loud = torch.quantile(power, torch.tensor([0.1, 0.95])).tolist()
    return float(10 * np.log10(loud / quiet))


def find_slices(about: dict[str, dict], measures: dict[str, dict]) -> list[Slice]:
    """All ways to tell the recordings apart that give at least two groups."""
    groups: list[list[Slice]] = []

    def add(by: str, values: dict[str, str], order: Callable | None = None) -> None:
        members: dict[str, list[str]] = defaultdict(list)
        for name, value in values.items():
            members[value].append(name)
        groups.append([Slice(by, value, tuple(members[value])) for value in sorted(members, key=order)])

    extras = {name: one["extras"] for name, one in about.items()}
    groups.append(
        [
            Slice("corpus", value, tuple(names))
            for value, names in corpora({name: one["speaker"] for name, one in about.items()}).items()
        ]
    )
    add("speaker", {name: one["speaker"] for name, one in about.items() if one["speaker"]})
    add("language", {name: one["language"] for name, one in about.items()})
    add("sex", {n: SEXES.get(v.lower()[:1], v) for n, e in extras.items() if (v := e.get("spk2gender", ""))})
    ages = {name: band for name, e in extras.items() if (band := _age_band(e.get("spk2age", "")))}
    add("age", ages, lambda band: int(band.split("–")[0]))
    for key in sorted({key for e in extras.values() for key in e} - {"spk2gender", "spk2age"}):
        _add_extra(key, {name: e[key] for name, e in extras.items() if key in e}, add, groups)
    for key, (title, unit) in MEASURED.items():
        known = {name: one[key] for name, one in measures.items() if one.get(key) is not None}
        groups.append(thirds(title, unit, known))
    return [one for group in groups if len(group) > 1 for one in group]


def thirds(by: str, unit: str, values: dict[str, float]) -> list[Slice]:
    """The low, the middle and the high third of numbers; halves of fewer than six; nothing of fewer than four."""
    count = min(3, len(values) // 2)
    if count < 2 or max(values.values()) == min(values.values()):
        return []
    names = sorted(values, key=values.__getitem__)
    slices = []
    for part in np.array_split(np.array(names, dtype=object), count):
        low, high = values[part[0]], values[part[-1]]
        digits = 0 if unit == "Hz" else 1
        slices.append(Slice(by, f"{low:.{digits}f} to {high:.{digits}f} {unit}".strip(), tuple(part)))
    return slices


def _add_extra(key: str, values: dict[str, str], add: Callable, groups: list[list[Slice]]) -> None:
    """A fact that some Kaldi file states: thirds of numbers, groups of a few words, nothing of many."""
    by = key.removeprefix("utt2").removeprefix("spk2")
    try:
        numbers = {name: float(value) for name, value in values.items()}
        finite = all(np.isfinite(list(numbers.values())))
    except ValueError:
        finite = False
    if finite and len(set(numbers.values())) > 3:
        groups.append(thirds(by, "", numbers))
    elif len(set(values.values())) <= MOST_VALUES:
        add(by, values)


def _age_band(text: str) -> str:
    try:
        age = int(float(text))
    except (ValueError, OverflowError):
        return ""
    return next((f"{low}–{high}" for low, high in AGES if low <= age <= high), "")
