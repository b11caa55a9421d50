"""Spectrograms of recorded and generated sounds, side by side in one picture."""

import os
from pathlib import Path
from textwrap import fill

from speechgen.audio.files import read_audio
from speechgen.audio.pictures import spectrogram_sheet_png
from speechgen.errors import UserError, nearest
from speechgen.evaluation.generate import SUMMARY
from speechgen.evaluation.logs import read_json
from speechgen.evaluation.recordings import spread

NAME_WIDTH = 20  # letters of a line beside a row


def draw_side_by_side(folder: str | Path, out: str | Path, count: int = 4, only: list[str] | None = None) -> list[str]:
    """Write a PNG with a row a recording, on the left as recorded and then by each system; returns which are shown.

    Raises UserError for a recording that the folder does not have, or one that no system made.
    """
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
    labels = [summary.get("labels", {}).get(name) or {"": name} for name in shown]
    beside = ["\n".join(fill(one, NAME_WIDTH) for one in label.values()) for label in labels]
    rows = [[read_audio(folder / system / f"{name}.wav") for system in systems] for name in shown]
    picture = spectrogram_sheet_png(rows, list(systems), beside)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    temporary.write_bytes(picture)
    os.replace(temporary, out)
    return shown
