"""Spectrograms of recorded and generated sounds, side by side in one picture."""

import io
import os
from pathlib import Path
from textwrap import fill

from speechgen.audio.files import read_audio
from speechgen.audio.pictures import BANDS, LOUD, QUIET, mel_decibel
from speechgen.errors import UserError, nearest
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import read_json
from speechgen.evaluation.recordings import spread

NAME_WIDTH = 20  # letters of a line beside a row


def draw_side_by_side(folder: str | Path, out: str | Path, count: int = 4, only: list[str] | None = None) -> list[str]:
    """Write a PNG with a row a recording, on the left as recorded and then by each system; returns which are shown.

    Raises UserError for a recording that the folder does not have, or one that no system made.
    """
    from matplotlib.figure import Figure

    folder, out = Path(folder), Path(out)
    if out.suffix.lower() != ".png" or not out.parent.is_dir():
        raise UserError(f"{out}: name a .png file in a folder that exists")
    summary = read_json(folder / SUMMARY)
    known = summary["utterances"]
    for name in only or []:
        if name not in known:
            raise UserError(f"--only {name}: not in {folder}{nearest(name, known)}")
    shown = only or list(spread({name: name for name in known}, count))
    systems = summary["systems"]
    size = (2.6 * len(systems), 1.5 * len(shown) + 0.3)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    grid = figure.subplots(len(shown), len(systems), squeeze=False, sharey=True)
    for row, name in zip(grid, shown, strict=True):
        labels = summary.get("labels", {}).get(name) or {"": name}
        for axes, system in zip(row, systems, strict=True):
            wave, rate = read_audio(folder / system / f"{name}.wav")
            extent = (0, len(wave) / rate, 0, BANDS)
            axes.imshow(
                mel_decibel(wave, rate), cmap="magma", vmin=QUIET, vmax=LOUD, origin="lower", aspect="auto",
                extent=extent,
            )  # fmt: skip
            axes.tick_params(labelsize=7)
        row[0].set_ylabel("\n".join(fill(one, NAME_WIDTH) for one in labels.values()), fontsize=7)
    for axes, system in zip(grid[0], systems, strict=True):
        axes.set_title(system, fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("seconds", fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    temporary.write_bytes(file.getvalue())
    os.replace(temporary, out)
    return shown
