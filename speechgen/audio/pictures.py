"""Spectrograms to look at."""

import io

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.features import LogMel

QUIET, LOUD = -80.0, 20.0  # dB of a mel band's magnitude, the ends of the colour scale
DIFFERENCE = 30.0  # dB, the ends of the difference's colour scale
BANDS = 80


def spectrogram_pair(real: Tensor, made: Tensor, sample_rate: int) -> np.ndarray:
    """Log-mel spectrograms of two waveforms (T,), one above the other: uint8 (H, W, 3)."""
    from matplotlib import colormaps

    rows = [mel_decibel(wave, sample_rate).flip(0).numpy() for wave in (real, made)]
    scaled = (np.clip(np.concatenate(rows, axis=0), QUIET, LOUD) - QUIET) / (LOUD - QUIET)
    return (colormaps["magma"](scaled)[..., :3] * 255).astype(np.uint8)


def spectrogram_png(wave: Tensor, sample_rate: int, reference: Tensor | None = None, title: str = "") -> bytes:
    """The mel spectrogram of (T,) as a PNG; with a reference, its difference from that (in dB) below it."""
    from matplotlib.figure import Figure

    made = mel_decibel(wave, sample_rate)
    seconds = len(wave) / sample_rate
    pictures = [(made, "magma", (QUIET, LOUD), "dB")]
    if reference is not None:
        real = mel_decibel(reference, sample_rate)
        frames = min(made.shape[1], real.shape[1])
        pictures.append((made[:, :frames] - real[:, :frames], "RdBu_r", (-DIFFERENCE, DIFFERENCE), "dB more"))
    figure = Figure(figsize=(6.4, 1.9 * len(pictures)), dpi=80, layout="constrained")
    for axes, (values, colours, (low, high), unit) in zip(
        np.atleast_1d(figure.subplots(len(pictures), 1, sharex=True)), pictures, strict=True
    ):
        extent = (0, seconds, 0, BANDS)
        image = axes.imshow(values, cmap=colours, vmin=low, vmax=high, origin="lower", aspect="auto", extent=extent)
        axes.set_ylabel("mel band")
        figure.colorbar(image, ax=axes, label=unit)
    axes.set_xlabel("seconds")
    if title:
        figure.suptitle(title, fontsize=9)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def spectrogram_sheet_png(
    rows: list[list[tuple[Tensor, int]]], heads: list[str], labels: list[str] | None = None
) -> bytes:
    """Mel spectrograms of rows of (wave (T,), rate in Hz), all rows alike in length, as a PNG.

    ``heads``: what stands above each of the first row, or above every one where there are so many; ``labels``: beside
    each row.
    """
    from matplotlib.figure import Figure
    from PIL import Image

    size = (2.6 * len(rows[0]), 1.5 * len(rows) + 0.3)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False, sharey=True)
    for line, waves in zip(grid, rows, strict=True):
        for axes, (wave, rate) in zip(line, waves, strict=True):
            axes.imshow(
                mel_decibel(wave, rate).numpy(), cmap="magma", vmin=QUIET, vmax=LOUD, origin="lower", aspect="auto",
                extent=(0, len(wave) / rate, 0, BANDS),
            )  # fmt: skip
            axes.tick_params(labelsize=7)
    for axes, head in zip(grid.flat, heads):
        axes.set_title(head, fontsize=8)
    for line, label in zip(grid, labels or []):
        line[0].set_ylabel(label, fontsize=7)
    for axes in grid[-1]:
        axes.set_xlabel("seconds", fontsize=8)
    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    # 256 colours tell the same in a third of the bytes.
    Image.open(drawn).convert("RGB").quantize(256).save(file, format="png", optimize=True)
    return file.getvalue()


@torch.no_grad()
def mel_decibel(wave: Tensor, sample_rate: int) -> Tensor:
    """Magnitudes of 80 mel bands in dB: (T,) to (80, frames), a frame of 64 ms every 16 ms."""
    window = round(0.064 * sample_rate)
    return LogMel(sample_rate, window, window // 4, BANDS)(wave[None])[0] * (20 / np.log(10))


def bare_spectrogram_png(wave: Tensor, sample_rate: int) -> bytes:
    """The mel spectrogram of (T,) as a small PNG without axes: 80 pixels high, one wide for each frame of 16 ms."""
    return _palette_png(mel_decibel(wave, sample_rate), "magma", QUIET, LOUD)


def bare_difference_png(wave: Tensor, reference: Tensor, sample_rate: int) -> bytes:
    """Where (T,) has more (red) or less (blue) than the reference, up to 30 dB, pictured alike."""
    made, real = (mel_decibel(one, sample_rate) for one in (wave, reference))
    frames = min(made.shape[1], real.shape[1])
    return _palette_png(made[:, :frames] - real[:, :frames], "RdBu_r", -DIFFERENCE, DIFFERENCE)


def _palette_png(values: Tensor, colours: str, low: float, high: float) -> bytes:
    """(bands, frames) as an image of 64 colours, the first band at the bottom."""
    from matplotlib import colormaps
    from PIL import Image

    levels = 64
    scaled = np.clip((values.flip(0).numpy() - low) / (high - low), 0, 1)
    image = Image.fromarray(np.round(scaled * (levels - 1)).astype(np.uint8), mode="L")
    image.putpalette((colormaps[colours](np.linspace(0, 1, levels))[:, :3] * 255).astype(np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return file.getvalue()
