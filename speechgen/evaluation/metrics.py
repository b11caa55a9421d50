"""How like the recording, and how good by itself, a piece of speech is: metrics under their published names.

A metric is called with (reference, degraded, sample_rate): waveforms (T,) in [-1, 1], the rate in Hz. It returns a
finite float or raises ``Unscorable``: what cannot be scored is counted as failed and never given a number.
"""

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.features import LogMel
from speechgen.audio.pitch import pitch_track
from speechgen.audio.resample import resample
from speechgen.errors import UserError, nearest

SPEECH_RATE = 16000  # Hz; what PESQ-WB, DNSMOS and Resemblyzer are defined at
PESQ_SECONDS = 20.0
LEAST_VOICED = 10  # frames in which both must be voiced for a difference of F0
DECIBEL_PER_NEPER = 20 / np.log(10)


class Unscorable(Exception):
    """Why a metric has no value for an utterance: no speech found, too short, nothing but silence."""


def import_evaluation(module: str):
    """Import a package of the extra ``eval``; raises UserError naming the extra when it is missing."""
    require_evaluation(module)
    with warnings.catch_warnings():  # Resemblyzer and webrtcvad import from places that are going away
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


def require_evaluation(package: str) -> None:
    """Raise UserError naming the extra ``eval`` when a package of it is missing."""
    if importlib.util.find_spec(package) is None:
        raise UserError(f"{package} is not installed; pip install 'speechgen[eval]'")


def pesq_wb(reference: Tensor, degraded: Tensor, sample_rate: int) -> float:
    """Perceptual evaluation of speech quality, wide band (ITU-T P.862.2): 1.04 to 4.64.

    Longer recordings are scored in pieces of at most 20 seconds and averaged: the reference implementation has room
    for 50 stretches of speech and overwrites its memory beyond them.
    """
    pesq = import_evaluation("pesq")
    reference, degraded = (resample(wave, sample_rate, SPEECH_RATE) for wave in matched(reference, degraded))
    count = max(1, round(np.ceil(len(reference) / (PESQ_SECONDS * SPEECH_RATE))))
    scores, weights, reason = [], [], "silence"
    for a, b in zip(reference.tensor_split(count), degraded.tensor_split(count)):
        if not a.any() or not b.any():
            continue  # PESQ divides by the peak
        try:
            scores.append(pesq.pesq(SPEECH_RATE, a.numpy(), b.numpy(), "wb"))
            weights.append(len(a))
        except pesq.PesqError as error:
            reason = b" ".join(arg for arg in error.args if isinstance(arg, bytes)).decode() or type(error).__name__
    if not scores:
        raise Unscorable(f"PESQ: {reason}")
    return float(np.average(scores, weights=weights))


def stoi(reference: Tensor, degraded: Tensor, sample_rate: int, extended: bool = False) -> float:
    """Short-time objective intelligibility (Taal et al. 2011): about 0 to 1."""
    pystoi = import_evaluation("pystoi")
    reference, degraded = matched(reference, degraded)
    if not reference.any() or not degraded.any():
        raise Unscorable("STOI: silence")
    with warnings.catch_warnings():
        # pystoi warns and returns 1e-5 when fewer than 30 frames hold speech; that is no score.
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(pystoi.stoi(reference.numpy(), degraded.numpy(), sample_rate, extended=extended))
        except (RuntimeWarning, ValueError) as error:
            raise Unscorable(f"STOI: {' '.join(str(error).split())[:100]}") from None


def estoi(reference: Tensor, degraded: Tensor, sample_rate: int) -> float:
    """Extended STOI (Jensen and Taal 2016), for noise that comes and goes: about 0 to 1."""
    return stoi(reference, degraded, sample_rate, extended=True)


def si_sdr(reference: Tensor, degraded: Tensor, sample_rate: int) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019), at most 100."""
    reference, degraded = (wave.double() - wave.double().mean() for wave in matched(reference, degraded))
    if not reference.any() or not degraded.any():
        raise Unscorable("SI-SDR: silence")
    target = reference * (reference @ degraded) / (reference @ reference)
    noise = degraded - target
    return min(100.0, float(10 * torch.log10((target @ target) / (noise @ noise + 1e-30) + 1e-30)))


def mel_distance(reference: Tensor, degraded: Tensor, sample_rate: int) -> float:
    """Mean absolute difference of the log-mel spectra in dB: 80 bands, frames of 64 ms every 16 ms."""
    window = round(0.064 * sample_rate)
    mel = LogMel(sample_rate, window, window // 4, 80)
    a, b = (mel(wave[None]) for wave in matched(reference, degraded))
    return float((a - b).abs().mean() * DECIBEL_PER_NEPER)


def stft_distance(reference: Tensor, degraded: Tensor, sample_rate: int) -> float:
    """Mean absolute difference of the log-magnitude spectra in dB, over frames of 16, 32 and 64 ms."""
    distances = []
    for seconds in (0.016, 0.032, 0.064):
        size = round(seconds * sample_rate)
        window = torch.hann_window(size)
        a, b = (
            torch.stft(wave, size, size // 4, window=window, return_complex=True).abs().clamp_min(1e-5).log()
            for wave in matched(reference, degraded)
        )
        distances.append(float((a - b).abs().mean() * DECIBEL_PER_NEPER))
    return float(np.mean(distances))


def pitch_error(reference: Tensor, degraded: Tensor, sample_rate: int) -> float:
    """Root mean square difference of F0 in cents, over the frames of 10 ms in which both are voiced."""
    a, b = (pitch_track(wave, sample_rate) for wave in matched(reference, degraded))
    both = ~np.isnan(a) & ~np.isnan(b)
    if both.sum() < LEAST_VOICED:
        raise Unscorable("F0: fewer than 0.1 s are voiced in both")
    return float(np.sqrt(np.mean((1200 * np.log2(b[both] / a[both])) ** 2)))


class Dnsmos:
    """DNSMOS P.835 overall quality (Reddy et al. 2022), without a reference: 1 to 5.

    Runs the model inside the speechmos wheel, in one thread; the wheel's own code keeps a global model, and spends
    two thirds of its time on a second one (P.808) that nobody asked for.
    """

    SECONDS = 9.01
    SAMPLES = int(SECONDS * SPEECH_RATE)
    OVERALL = np.poly1d([-0.06766283, 1.11546468, 0.04602535])

    def __init__(self):
        runtime = import_evaluation("onnxruntime")
        folder = Path(import_evaluation("speechmos").__file__).parent
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = runtime.InferenceSession(folder / "dnsmos_models" / "sig_bak_ovr.onnx", options)

    def __call__(self, reference: Tensor | None, degraded: Tensor, sample_rate: int) -> float:
        """Mean over windows of 9.01 seconds, one a second; what is shorter is repeated."""
        wave = resample(degraded, sample_rate, SPEECH_RATE).clamp(-1, 1).numpy()
        if not wave.any():
            raise Unscorable("DNSMOS: silence")
        while len(wave) < self.SAMPLES:
            wave = np.append(wave, wave)
        # Counted as the published script does, which leaves out the last window of some lengths.
        count = int(len(wave) // SPEECH_RATE - self.SECONDS) + 1
        windows = [wave[i * SPEECH_RATE :][: self.SAMPLES][None] for i in range(count)]
        overall = [self.session.run(None, {"input_1": window})[0][0][2] for window in windows]
        return float(np.mean(self.OVERALL(np.array(overall))))


class SpeakerSimilarity:
    """SIM: cosine of two speaker embeddings (Resemblyzer, a GE2E encoder; Wan et al. 2018), 0 to 1."""

    def __init__(self):
        self.resemblyzer = import_evaluation("resemblyzer")
        self.encoder = self.resemblyzer.VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: Tensor, sample_rate: int) -> np.ndarray:
        """The voice of (T,) as a unit vector (256,); raises Unscorable where no voice is found."""
        samples = resample(wave, sample_rate, SPEECH_RATE).clamp(-1, 1).numpy()
        if not samples.any():
            raise Unscorable("SIM: silence")
        voiced = self.resemblyzer.preprocess_wav(samples)
        if len(voiced) < 0.1 * SPEECH_RATE:
            raise Unscorable("SIM: no voice found")
        return self.encoder.embed_utterance(voiced)

    def __call__(self, reference: Tensor, degraded: Tensor, sample_rate: int) -> float:
        return float(self.embed(reference, sample_rate) @ self.embed(degraded, sample_rate))


@dataclass(frozen=True)
class MetricKind:
    """A metric's published name, whether more is better, how to make it, and the package it needs."""

    title: str
    higher_is_better: bool
    make: Callable[[], Callable[[Tensor, Tensor, int], float]] | None
    package: str | None = None


METRICS = {
    "pesq_wb": MetricKind("PESQ-WB", True, lambda: pesq_wb, "pesq"),
    "stoi": MetricKind("STOI", True, lambda: stoi, "pystoi"),
    "estoi": MetricKind("ESTOI", True, lambda: estoi, "pystoi"),
    "sim": MetricKind("SIM", True, SpeakerSimilarity, "resemblyzer"),
    "dnsmos": MetricKind("DNSMOS", True, Dnsmos, "speechmos"),
    "si_sdr": MetricKind("SI-SDR (dB)", True, lambda: si_sdr),
    "mel": MetricKind("mel distance (dB)", False, lambda: mel_distance),
    "stft": MetricKind("STFT distance (dB)", False, lambda: stft_distance),
    "f0": MetricKind("F0 error (cents)", False, lambda: pitch_error),
}


# A character error rate hangs on a text and a recogniser as well, so it is not made here but in score.py.
REPORTED = {**METRICS, "cer": MetricKind("CER", False, None, "jiwer")}


def check_metrics(names: Iterable[str]) -> None:
    """Raise UserError for a name that is no metric's, or when a package that one needs is missing."""
    for name in names:
        if name not in REPORTED:
            raise UserError(f"no metric {name!r}{nearest(name, REPORTED)}")
        if package := REPORTED[name].package:
            require_evaluation(package)


class Metrics:
    """Several metrics at once, their models loaded once."""

    def __init__(self, names: Sequence[str] = tuple(METRICS)):
        check_metrics(names)
        self.metrics = {name: METRICS[name].make() for name in names}

    def __call__(self, reference: Tensor, degraded: Tensor, sample_rate: int) -> dict[str, float]:
        """Every metric's value; raises Unscorable when one of them has none."""
        if abs(len(reference) - len(degraded)) > 0.1 * sample_rate:
            lengths = f"{len(degraded) / sample_rate:.2f} seconds of {len(reference) / sample_rate:.2f}"
            raise Unscorable(f"holds {lengths}")
        scores = {}
        for name, metric in self.metrics.items():
            scores[name] = metric(reference, degraded, sample_rate)
            if not np.isfinite(scores[name]):
                raise Unscorable(f"{METRICS[name].title}: no finite value")
        return scores


def matched(reference: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
    """Both waveforms cut to the shorter one's length."""
    samples = min(len(reference), len(degraded))
    return reference[:samples].float(), degraded[:samples].float()
