"""When each phoneme is said, to read and to look at: JSON, CTM, and a picture."""

import io
from pathlib import Path

from torch import Tensor

from speechgen.audio.pictures import BANDS, LOUD, QUIET, mel_decibel
from speechgen.evaluation.logs import write_json
from speechgen.models.align import Alignment
from speechgen.text.spelling import PAUSE

SILENCE = "SIL"  # a CTM line divides at spaces, so that the pause needs a name
INCHES_PER_SECOND = 2.5


def timed(alignment: Alignment) -> list[dict]:
    """Each symbol with the seconds at which it starts and ends."""
    starts = [0.0, *alignment.ends[:-1]]
    return [
        {"symbol": symbol, "start": round(start, 3), "end": round(end, 3)}
        for symbol, start, end in zip(alignment.symbols, starts, alignment.ends, strict=True)
    ]


def ctm_lines(id: str, alignment: Alignment) -> str:
    """Lines ``id channel start duration symbol`` as NIST's sclite and Kaldi read them."""
    return "".join(
        f"{id} 1 {one['start']:.3f} {one['end'] - one['start']:.3f} "
        f"{SILENCE if one['symbol'] == PAUSE else one['symbol']}\n"
        for one in timed(alignment)
    )


def write_alignment(folder: Path, name: str, alignment: Alignment, text: str, wave: Tensor, sample_rate: int) -> None:
    """Write ``name``.json and ``name``.png into a folder; ``wave`` (T,) is what was aligned."""
    picture = folder / f"{name}.png"
    partial = picture.with_name(f".{picture.name}.part")
    partial.write_bytes(alignment_png(wave, sample_rate, alignment, text))
    partial.replace(picture)
    values = {"id": name, "text": text, "score": round(alignment.score, 4), "symbols": timed(alignment)}
    write_json(folder / f"{name}.json", values)


def alignment_png(wave: Tensor, sample_rate: int, alignment: Alignment, title: str = "") -> bytes:
    """The mel spectrogram of (T,) with a line at each boundary and each phoneme above its stretch, as a PNG."""
    from matplotlib.figure import Figure

    seconds = len(wave) / sample_rate
    width = min(40.0, max(6.4, INCHES_PER_SECOND * seconds))
    figure = Figure(figsize=(width, 2.6), dpi=80, layout="constrained")
    axes = figure.subplots()
    spectrogram, extent = mel_decibel(wave, sample_rate), (0, seconds, 0, BANDS)
    axes.imshow(spectrogram, cmap="magma", vmin=QUIET, vmax=LOUD, origin="lower", aspect="auto", extent=extent)
    for one in timed(alignment):
        axes.axvline(one["end"], color="white", linewidth=0.6)
        if one["symbol"] != PAUSE:
            middle = (one["start"] + one["end"]) / 2
            axes.text(middle, BANDS + 1, one["symbol"], ha="center", va="bottom", fontsize=8)
    axes.set_xlim(0, seconds)
    axes.set_xlabel("seconds")
    axes.set_ylabel("mel band")
    if title:
        figure.suptitle(title, fontsize=9)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
