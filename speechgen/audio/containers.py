"""Whether a file ends before its header says it does."""

import struct
from pathlib import Path

from speechgen.audio.files import AudioInfo

EXTENSIONS = {
    "WAV": {".wav", ".wave"},
    "WAVEX": {".wav", ".wave"},
    "RF64": {".wav", ".rf64"},
    "FLAC": {".flac"},
    "OGG": {".ogg", ".oga", ".opus"},
    "MPEG": {".mp3", ".mp2"},
    "AIFF": {".aif", ".aiff", ".aifc"},
    "CAF": {".caf"},
    "AU": {".au", ".snd"},
    "NIST": {".sph", ".wav", ".nist"},
}
# What recorders write as the length while they do not know it yet.
UNKNOWN_LENGTHS = (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def usual_extensions(container: str) -> set[str]:
    """The extensions that files of a container (as libsndfile names it) usually bear."""
    return EXTENSIONS.get(container, {f".{container.lower()}"})


def cut_short(info: AudioInfo, decoded: int) -> str:
    """Why a file of which ``decoded`` samples could be read is believed to be incomplete, or an empty string."""
    # Streamed FLAC states no length, read as a huge one. MP3 headers may count too much:
    # each of the three clips that gradio brings states 16,544 samples (0.52 s) more than libsndfile decodes.
    slack = info.sample_rate if info.format in ("MP3", "MPEG") else 0
    if decoded + slack < info.samples < 1 << 60:
        return f"its header states {info.samples} samples but only {decoded} could be decoded"
    if info.format in ("WAV", "WAVEX"):
        return _wav_cut_short(info.path)
    if info.format == "OGG" and not _ogg_ends(info.path):
        return "its last page is missing"
    return ""


def _wav_cut_short(path: Path) -> str:
    """Walk over the chunks of a RIFF file to its samples and compare the stated size with what is there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(12)
        while len(header := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", header)
            if name == b"data":
                there = size - file.tell()
                if length not in UNKNOWN_LENGTHS and length > there:
                    return f"its header states {length} bytes of samples but only {there} follow"
                return ""
            file.seek(length + length % 2, 1)
    return ""


def _ogg_ends(path: Path) -> bool:
    """Whether the last page of an Ogg stream is there: whole, and marked as the end of the stream (RFC 3533)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65307))  # the longest page
        tail = file.read()
    start = tail.rfind(b"OggS")
    if start < 0 or len(tail) < start + 27:
        return False
    flags, segments = tail[start + 5], tail[start + 26]
    sizes = tail[start + 27 : start + 27 + segments]
    return bool(flags & 4) and len(sizes) == segments and len(tail) >= start + 27 + segments + sum(sizes)
