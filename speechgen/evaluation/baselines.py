"""Codecs to stand beside ours: every system turns a waveform into a waveform and a count of real bytes."""

import io
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.nn.functional import pad

from speechgen.audio.files import OPUS_RATES
from speechgen.audio.resample import resample
from speechgen.errors import UserError, nearest


class CodingError(Exception):
    """Why a system could not code an utterance; it is counted as failed."""


class System(Protocol):
    """``name`` is also the folder of its output; ``facts`` are plain values that change when its output does."""

    name: str
    facts: dict

    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        """Code (T,) at a rate in Hz and decode it: (wave (T,) at the same rate, bytes of the coded file)."""


@runtime_checkable
class TokenSystem(Protocol):
    """A system whose codes can be looked at; its ``facts`` hold their ``codebook_size``."""

    def code(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int, Tensor]:
        """As ``reconstruct``, and the codes (K, T)."""


class Recording:
    """The recording itself, as 16-bit samples: the upper end of every scale."""

    name = "recording"
    facts: dict = {}

    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        return wave, 2 * len(wave)


class Opus:
    """Opus (RFC 6716) in Ogg through libsndfile, which every installation has."""

    def __init__(self, kbps: float):
        if not 6 <= kbps <= 256:
            raise UserError(f"opus:{kbps:g}: libsndfile's Opus goes from 6 to 256 kbit/s")
        self.name, self.facts = f"opus-{kbps:g}k", {"libsndfile": soundfile.__libsndfile_version__}
        # libsndfile maps level 1 to 6 kbit/s and level 0 to 256, linearly.
        self.level = (256 - kbps) / 250

    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        rate = min((rate for rate in OPUS_RATES if rate >= sample_rate), default=OPUS_RATES[-1])
        file, options = io.BytesIO(), {"format": "OGG", "subtype": "OPUS", "compression_level": self.level}
        soundfile.write(file, resample(wave, sample_rate, rate).clamp(-1, 1).numpy(), rate, **options)
        size = file.tell()
        file.seek(0)
        decoded, decoded_rate = soundfile.read(file, dtype="float32")
        return fit(resample(torch.from_numpy(decoded), decoded_rate, sample_rate), len(wave)), size


class OpusEnc:
    """Opus through the program opusenc, the reference encoder's own front end."""

    in_process = False

    def __init__(self, kbps: float):
        self.name, self.kbps = f"opusenc-{kbps:g}k", kbps
        self.facts = {"opusenc": _first_line(["opusenc", "--version"])}

    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        with tempfile.TemporaryDirectory() as folder:
            source, coded = Path(folder, "in.wav"), Path(folder, "out.opus")
            soundfile.write(source, wave.clamp(-1, 1).numpy(), sample_rate, subtype="PCM_16")
            _run(["opusenc", "--quiet", "--bitrate", f"{self.kbps:g}", str(source), str(coded)])
            decoded, decoded_rate = soundfile.read(coded, dtype="float32")
            size = coded.stat().st_size
        return fit(resample(torch.from_numpy(decoded), decoded_rate, sample_rate), len(wave)), size


class Codec2:
    """Codec2, a parametric vocoder for 8 kHz radio links, through the programs c2enc and c2dec."""

    in_process = False
    RATE = 8000
    MODES = {0.7: "700C", 1.2: "1200", 1.3: "1300", 1.4: "1400", 1.6: "1600", 2.4: "2400", 3.2: "3200"}

    def __init__(self, kbps: float, late: int | None = None):
        """``late``: samples at 8 kHz to move the decoded sound forward by; else looked for in each recording."""
        if kbps not in self.MODES:
            raise UserError(f"codec2:{kbps:g}: Codec2 has {', '.join(f'{k:g}' for k in self.MODES)} kbit/s")
        self.name, self.mode, self.facts = f"codec2-{self.MODES[kbps]}", self.MODES[kbps], {}
        self.kbps, self.late = kbps, late

    def settled(self, wave: Tensor, sample_rate: int) -> "Codec2":
        """The same, moving every recording forward by what this one needs."""
        narrow = resample(wave, sample_rate, self.RATE).clamp(-1, 1)
        return Codec2(self.kbps, lateness(narrow, self._decoded(narrow)[0], self.RATE // 20))

    def reconstruct(self, wave: Tensor, sample_rate: int) -> tuple[Tensor, int]:
        narrow = resample(wave, sample_rate, self.RATE).clamp(-1, 1)
        decoded, size = self._decoded(narrow)
        late = lateness(narrow, decoded, self.RATE // 20) if self.late is None else self.late
        return fit(resample(decoded[late:], self.RATE, sample_rate), len(wave)), size

    def _decoded(self, narrow: Tensor) -> tuple[Tensor, int]:
        """What c2dec gives for (T,) at 8 kHz, late as it is, and the bytes."""
        # Silence at the end, since the decoder is late and only whole frames (of at most 40 ms) are coded.
        samples = (pad(narrow, (0, self.RATE // 10)) * 32767).numpy().astype("<i2")
        coded = _run(["c2enc", self.mode, "-", "-"], samples.tobytes())
        decoded = np.frombuffer(_run(["c2dec", self.mode, "-", "-"], coded), "<i2").astype(np.float32) / 32768
        return torch.from_numpy(decoded), round(len(coded) * len(narrow) / len(samples))


# Each baseline's programs, Debian package, and bitrates in kbit/s when none is named.
BASELINES = {
    "opus": (Opus, (), "", (6, 8, 12, 16)),
    "opusenc": (OpusEnc, ("opusenc",), "opus-tools", (6, 8, 12, 16)),
    "codec2": (Codec2, ("c2enc", "c2dec"), "codec2", (0.7, 1.3, 3.2)),
}
PRETRAINED = ("encodec", "dac", "mimi")
OURS, DEFAULT = "speechgen", "speech-16k"


def make_baselines(names: str, kbps: list[float]) -> tuple[list[System], dict[str, str]]:
    """The systems named in ``opus,codec2:3.2,encodec:FOLDER``, and why each absent one is left out.

    After a colon stands one bitrate, or for encodec, dac and mimi the folder of their transformers weights, and for
    speechgen the name or folder of a codec of ours, which are then run at each of ``kbps``. A program that is not
    installed is left out; a wrong name raises UserError.
    """
    systems: list[System] = []
    absent: dict[str, str] = {}
    for item in filter(None, (name.strip() for name in names.split(","))):
        name, _, detail = item.partition(":")
        if name in PRETRAINED:
            from speechgen.evaluation.pretrained import load_pretrained

            systems += load_pretrained(name, detail, kbps)
            continue
        if name == OURS:
            from speechgen.evaluation.coding import codec_systems

            systems += codec_systems(detail or DEFAULT, kbps)
            continue
        if name not in BASELINES:
            raise UserError(f"--baselines {item}: no baseline {name!r}{nearest(name, [*BASELINES, *PRETRAINED, OURS])}")
        kind, programs, package, rates = BASELINES[name]
        missing = [program for program in programs if not shutil.which(program)]
        if missing:
            absent[name] = f"{missing[0]} is not installed (apt-get install {package})"
            continue
        systems += [kind(rate) for rate in ([_rate(item, detail)] if detail else rates)]
    return systems, absent


def fit(wave: Tensor, samples: int) -> Tensor:
    """Cut or pad (T,) with silence to so many samples: coders work in whole frames."""
    return pad(wave, (0, max(0, samples - len(wave))))[:samples]


def lateness(reference: Tensor, wave: Tensor, most: int) -> int:
    """By how many samples, up to ``most``, a wave must move forward for its loudness to follow the reference's best.

    The phase of a vocoder is its own, so the waveforms themselves cannot be compared.
    """
    smooth = torch.hann_window(161)[None, None]
    a, b = (torch.conv1d(fit(w, len(reference) + most).square()[None, None], smooth, padding=80).sqrt().flatten()
            for w in (reference, wave))  # fmt: skip
    a, b = a - a.mean(), b - b.mean()
    spectrum = torch.fft.rfft(b, 2 * len(b)) * torch.fft.rfft(a, 2 * len(a)).conj()
    return int(torch.fft.irfft(spectrum)[: most + 1].argmax())


def _rate(item: str, detail: str) -> float:
    try:
        return float(detail)
    except ValueError:
        raise UserError(f"--baselines {item}: {detail!r} is no bitrate in kbit/s") from None


def _run(command: list[str], given: bytes | None = None) -> bytes:
    done = subprocess.run(command, input=given, capture_output=True, timeout=600)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise CodingError(f"{command[0]}: exit {done.returncode}: {said[0][:120]}")
    return done.stdout


def _first_line(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, timeout=60)
    return (said.stdout or said.stderr).decode(errors="replace").strip().partition("\n")[0]
