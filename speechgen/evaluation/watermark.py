"""How well the watermark holds: found after what happens to recordings, not found where it is not, and its price."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.audio.watermark import DEPTH_DB, FALSE_ALARM, detect, mark
from speechgen.errors import UserError
from speechgen.evaluation.baselines import Opus, fit
from speechgen.evaluation.metrics import pesq_wb, si_sdr
from speechgen.evaluation.recordings import find_recordings
from speechgen.evaluation.statistics import mean_estimate

SECONDS = (3.0, 10.0)
CROP_SECONDS = 3.0
Attack = Callable[[Tensor, int], Tensor]


def _opus(kbps: float) -> Attack:
    return lambda wave, rate: Opus(kbps).reconstruct(wave, rate)[0]


def _through(other: int) -> Attack:
    return lambda wave, rate: resample(resample(wave, rate, other), other, rate)


def _mp3(wave: Tensor, rate: int) -> Tensor:
    """MPEG layer III at libsndfile's lower rates: about 32 kbit/s at 16 kHz."""
    file = io.BytesIO()
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": 0.8}
    soundfile.write(file, wave.clamp(-1, 1).numpy(), rate, **options)
    file.seek(0)
    decoded, decoded_rate = soundfile.read(file, dtype="float32")
    return fit(resample(torch.from_numpy(decoded), decoded_rate, rate), len(wave))


def _noise(wave: Tensor, rate: int) -> Tensor:
    """White noise 20 dB below the speech."""
    generator = torch.Generator().manual_seed(0)
    return wave + 0.1 * wave.square().mean().sqrt() * torch.randn(len(wave), generator=generator)


def _crop(wave: Tensor, rate: int) -> Tensor:
    """Three seconds out of the middle."""
    start = max(0, (len(wave) - round(CROP_SECONDS * rate)) // 2)
    return wave[start : start + round(CROP_SECONDS * rate)]


ATTACKS: dict[str, Attack] = {
    "none": lambda wave, rate: wave,
    "Opus 16 kbit/s": _opus(16),
    "Opus 8 kbit/s": _opus(8),
    "MP3": _mp3,
    "8 kHz and back": _through(8000),
    "11.025 kHz and back": _through(11025),
    "48 kHz and back": _through(48000),
    "gain -20 dB": lambda wave, rate: 0.1 * wave,
    "noise at 20 dB": _noise,
    "3 s cut out": _crop,
    "3 s cut out, then Opus 16 kbit/s": lambda wave, rate: _opus(16)(_crop(wave, rate), rate),
    "8 kHz, then Opus 16 kbit/s": lambda wave, rate: _opus(16)(_through(8000)(wave, rate), rate),
}


def measure(sources: list[Path], limit: int, rate: int, advance: Callable[[], None] = lambda: None) -> dict:
    """Mark, attack and look, over ``limit`` recordings of 3 to 10 s from each source, at ``rate`` (Hz).

    Raises UserError where a source has no such recording. False alarms are counted over the recordings as they are
    and after each attack.
    """
    found = {name: 0 for name in ATTACKS}
    alarms = {name: 0 for name in ATTACKS}
    pesq, sdr, least = [], [], 1.0
    for wave in _clips(sources, limit, rate):
        marked = mark(wave, rate)
        pesq.append(pesq_wb(wave, marked, rate))
        sdr.append(si_sdr(wave, marked, rate))
        for name, attack in ATTACKS.items():
            found[name] += detect(attack(marked, rate), rate).found
            unmarked = detect(attack(wave, rate), rate)
            alarms[name] += unmarked.found
            least = min(least, unmarked.chance)
        advance()
    return {
        "recordings": len(pesq),
        "sources": [str(source) for source in sources],
        "depth_db": DEPTH_DB,
        "false_alarm_bound": FALSE_ALARM,
        "found": {name: count / len(pesq) for name, count in found.items()},
        "false_alarms": sum(alarms.values()),
        "false_alarm_trials": len(pesq) * len(ATTACKS),
        "least_chance_unmarked": least,
        "pesq_wb": mean_estimate(pesq).to_json(),
        "si_sdr_db": mean_estimate(sdr).to_json(),
    }


def to_table(report: dict) -> str:
    """The figures as Markdown."""
    count = report["recordings"]
    lines = [f"| attack | found, of {count} |", "|---|---|"]
    lines += [f"| {name} | {100 * share:.0f} % |" for name, share in report["found"].items()]
    pesq, sdr = report["pesq_wb"], report["si_sdr_db"]
    lines.append("")
    lines.append(f"False alarms: {report['false_alarms']} of {report['false_alarm_trials']} unmarked ones.")
    interval = "{mean:.2f} ({ci95[0]:.2f} to {ci95[1]:.2f})"
    lines.append(f"PESQ-WB of marked against unmarked: {interval.format(**pesq)}; SI-SDR: {interval.format(**sdr)} dB.")
    return "\n".join(lines)


def _clips(sources: list[Path], limit: int, rate: int) -> Iterator[Tensor]:
    for source in sources:
        recordings, taken = find_recordings(source), 0
        names = list(recordings.utterances)
        # Spread over all, so that every speaker has some.
        for name in [name for step in range(7) for name in names[step::7]]:
            wave = recordings.read(name, rate)
            if SECONDS[0] <= len(wave) / rate <= SECONDS[1]:
                yield wave
                taken += 1
            if taken == limit:
                break
        if not taken:
            raise UserError(f"{source}: has no recording of {SECONDS[0]:g} to {SECONDS[1]:g} s")
