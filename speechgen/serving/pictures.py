"""Pictures of speech."""

import io

import torch
from torch import Tensor

from speechgen.audio.pictures import LOUD, QUIET, mel_decibel
from speechgen.serving.spoken import Take

COLUMNS = 1200  # of a waveform: each shows the range of its samples


def take_png(take: Take, sample_rate: int) -> bytes:
    """A take's waveform and mel spectrogram as a PNG, with lines where its chunks begin."""
    from matplotlib.figure import Figure

    seconds = len(take.wave) / sample_rate
    figure = Figure(figsize=(9, 2.6), dpi=100, layout="constrained")
    wave_axes, mel_axes = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.7))
    low, high = wave_range(take.wave)
    times = torch.linspace(0, seconds, len(low))
    wave_axes.fill_between(times, low, high, color="#0d9488", linewidth=0.5)
    wave_axes.set_ylim(-1, 1)
    wave_axes.set_yticks([-1, 0, 1])
    mel = mel_decibel(take.wave, sample_rate)
    extent = (0, seconds, 0, len(mel))
    mel_axes.imshow(mel, cmap="magma", vmin=QUIET, vmax=LOUD, origin="lower", aspect="auto", extent=extent)
    mel_axes.set_ylabel("mel band")
    mel_axes.set_xlabel("seconds")
    for span in take.spans[1:]:
        for axes in (wave_axes, mel_axes):
            axes.axvline(span.start, color="#94a3b8", linewidth=0.8, linestyle=":")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def wave_range(wave: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest sample of (T,) in each of at most 1200 stretches."""
    size = max(1, -(-len(wave) // COLUMNS))
    stretches = torch.nn.functional.pad(wave, (0, -len(wave) % size)).view(-1, size)
    return stretches.amin(1), stretches.amax(1)
