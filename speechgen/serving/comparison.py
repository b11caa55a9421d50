"""What the app's Codec tab does: code a recording at a bitrate, and show what that did to it. Without gradio."""

import importlib.util
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.checks import read_inspected, recording_faults
from speechgen.audio.files import read_audio_info, write_audio
from speechgen.audio.pictures import spectrogram_png
from speechgen.audio.resample import resample
from speechgen.errors import UserError
from speechgen.evaluation.baselines import fit
from speechgen.evaluation.coding import decode, encode
from speechgen.evaluation.metrics import METRICS, Unscorable
from speechgen.models.load import unit_fingerprint
from speechgen.serving.limits import Limits
from speechgen.tokenizers.codec import Codec
from speechgen.tokenizers.sgc import write_sgc

SHOWN = ("pesq_wb", "stoi", "dnsmos", "si_sdr", "mel")


@dataclass(frozen=True)
class Compared:
    """Files of the original and the decoded audio, of the codes and of a picture; (metric, value, which is better)
    rows; and what to tell, in Markdown."""

    original: Path
    decoded: Path
    codes: Path
    picture: Path
    rows: list[tuple[str, str, str]]
    report: str


class Comparer:
    """Codes recordings and puts the results into files in ``folder``; metrics whose package is missing are left out."""

    def __init__(self, codec: Codec, name: str, folder: Path, limits: Limits = Limits()):
        """``name``: of the codec, as .sgc files state it. Raises UserError for a codec without codebooks."""
        if not codec.codebooks:
            raise UserError(f"{name}: has no codebooks, so no bitrate to compare at")
        self.codec, self.name, self.folder, self.limits = codec, name, folder, limits
        self.weights = unit_fingerprint(codec)
        self.metrics = {}

    def bitrates(self) -> list[float]:
        """What the codec can do, in kbit/s."""
        return [self.codec.kbps(codebooks) for codebooks in range(1, self.codec.codebooks + 1)]

    def compare(self, recording: str | None, kbps: float) -> Compared:
        """Code a recording at a bitrate (kbit/s) and back; raises UserError for none, or one that cannot be read."""
        if not recording:
            raise UserError("Record or upload something first.")
        codebooks = self.codec.codebooks_for(kbps)
        wave, notes = self._read(recording)
        rate = self.codec.sample_rate
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        stem = Path(recording).stem[:40] or "audio"
        started = time.perf_counter()
        with torch.inference_mode():
            codes, header = encode(self.codec, self.name, self.weights, wave, codebooks)
            decoded = fit(decode(self.codec, codes), len(wave))
        x_real_time = len(wave) / rate / (time.perf_counter() - started)
        original, coded = folder / f"{stem}-original.wav", folder / f"{stem}.sgc"
        heard, picture = folder / f"{stem}-{kbps:.3g}k.wav", folder / f"{stem}.png"
        write_audio(original, wave, rate)
        write_audio(heard, decoded, rate)
        size = write_sgc(coded, codes, header)
        picture.write_bytes(spectrogram_png(decoded, rate, wave))
        seconds = len(wave) / rate
        figures = [
            f"**{size:,} bytes** for {seconds:.1f} s",
            f"**{size * 8 / 1000 / seconds:.2f} kbit/s** in all",
            f"{2 * len(wave) / size:.0f}x smaller than 16-bit samples",
            f"coded and decoded at **{x_real_time:.0f}x** real time",
        ]
        report = "\n\n".join([" · ".join(figures), *(f"⚠️ {note}" for note in notes)])
        return Compared(original, heard, coded, picture, self._rows(wave, decoded), report)

    def _read(self, recording: str) -> tuple[Tensor, list[str]]:
        """The recording at the codec's rate, cut to the limit, and what there is to say about it."""
        longest, rate = self.limits.compared_seconds, self.codec.sample_rate
        try:
            whole = read_audio_info(recording).seconds
            facts, samples = read_inspected(recording, end=longest if whole > longest else None)
        except UserError as error:  # it names a temporary file
            raise UserError(str(error).replace(f"{recording}:", "This recording")) from None
        faults = recording_faults(facts, sample_rate=rate)
        for fault in faults:
            if fault.fatal:
                raise UserError(f"This recording {fault.sentence}.")
        notes = [f"This recording {fault.sentence}." for fault in faults]
        if whole > longest:
            notes.append(f"Only the first {longest:g} of {whole:.0f} seconds are compared.")
        return resample(torch.from_numpy(samples).clamp(-1, 1), facts.sample_rate, rate), notes

    def _rows(self, original: Tensor, decoded: Tensor) -> list[tuple[str, str, str]]:
        rows = []
        for name in SHOWN:
            kind = METRICS[name]
            if kind.package and importlib.util.find_spec(kind.package) is None:
                continue
            if name not in self.metrics:
                self.metrics[name] = kind.make()
            try:
                value = f"{self.metrics[name](original, decoded, self.codec.sample_rate):.2f}"
            except Unscorable as reason:
                value = f"none ({reason})"
            rows.append((kind.title, value, "more" if kind.higher_is_better else "less"))
        return rows
