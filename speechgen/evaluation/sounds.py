"""What a report lets one hear and see: audio as it is, and pictures of it, as addresses that hold their data."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

import soundfile
from torch import Tensor

from speechgen.audio.files import AudioError, read_audio
from speechgen.audio.loudness import loudness
from speechgen.audio.pictures import bare_difference_png, bare_spectrogram_png

LISTENED_SECONDS = 12.0
WORST_BYTES = 12_000_000  # of audio that only the lists of the worst need


def listen(folder: Path, utterance: str, systems: Iterable[str]) -> list[dict]:
    """Each system's version of an utterance: ``audio``, ``spectrogram``, ``difference``, and ``louder`` by how many LU.

    Nothing is normalised: all play as loud as they came out.
    """
    versions: list[dict] = []
    reference: Tensor | None = None
    for system in systems:
        version = {"system": system, "audio": None, "spectrogram": None, "difference": None, "louder": None}
        versions.append(version)
        try:
            wave, rate = read_audio(folder / system / f"{utterance}.wav")
        except AudioError:
            continue
        wave = wave[: round(LISTENED_SECONDS * rate)]
        version["audio"] = sound(wave, rate)
        version["spectrogram"] = address("image/png", bare_spectrogram_png(wave, rate))
        if system == "recording":
            reference = wave
        elif reference is not None:
            version["difference"] = address("image/png", bare_difference_png(wave, reference, rate))
            difference = loudness(wave, rate) - loudness(reference, rate)
            version["louder"] = difference if abs(difference) < 100 else None
    return versions


def worst_sounds(
    folder: Path, worst: dict[str, dict[str, list[dict]]], subject: list[str], heard: list[str]
) -> dict[str, str]:
    """Audio of the worst utterances, by ``system/utterance``, of the report's subject, without those ``heard`` anyway.

    First the worst of every metric, then the second worst, and so on, until there is enough for one page.
    """
    found: dict[str, str] = {}
    size = 0
    lists = [systems[name] for systems in worst.values() for name in systems if name in subject]
    owners = [name for systems in worst.values() for name in systems if name in subject]
    for rank in range(max(map(len, lists), default=0)):
        for name, entries in zip(owners, lists, strict=True):
            if rank >= len(entries) or entries[rank]["utterance"] in heard:
                continue
            for system in ("recording", name):
                key = f"{system}/{entries[rank]['utterance']}"
                if key in found:
                    continue
                try:
                    wave, rate = read_audio(folder / f"{key}.wav")
                except AudioError:
                    continue
                heard_as = sound(wave[: round(LISTENED_SECONDS * rate)], rate)
                size += len(heard_as)
                if size > WORST_BYTES:
                    return found
                found[key] = heard_as
    return found


def address(kind: str, content: bytes) -> str:
    """Content as a data address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def sound(wave: Tensor, sample_rate: int) -> str:
    """A waveform (T,) as an address of FLAC."""
    flac = io.BytesIO()
    soundfile.write(flac, wave.numpy(), sample_rate, format="FLAC", subtype="PCM_16")
    return address("audio/flac", flac.getvalue())
