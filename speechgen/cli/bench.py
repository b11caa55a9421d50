"""Verbs that measure speed: codec, tts."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Measure speed, in seconds of audio per second of compute.")

MODEL = "starter-tts"
TEXT = "The boy was there when the sun rose. A rod is used to catch pink salmon."
Json = Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads to compute with.")]
Repeats = Annotated[int, typer.Option(min=1, help="Runs of each; the median counts.")]


@app.command()
def codec(
    json_file: Json = None,
    threads: Threads = 2,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the audio.")] = 10.0,
    repeats: Repeats = 5,
) -> None:
    """Encode and decode with our codec presets and with EnCodec, Mimi and DAC of transformers, in one run.

    The others have their published sizes and random weights; nothing is downloaded.

    Example: speechgen bench codec --json codec.json --threads 2 --seconds 10
    """
    from rich.table import Table

    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.bench import bench_codecs, codec_candidates

    candidates = codec_candidates()
    with progress_bar("bench", len(candidates)) as advance:
        report = bench_codecs(candidates, seconds, repeats, threads, advance)
    others = [row["name"] for row in report["rows"] if not row["ours"]]
    table = Table("codec", "M params", "kbit/s", "x real time", "encode", "decode", *(f"x {name}" for name in others))
    for row in report["rows"]:
        speeds = (f"{row[key]:.1f}" for key in ("x_real_time", "encode_x_real_time", "decode_x_real_time"))
        times = (f"{row['times'][name]:.1f}" if row["ours"] else "" for name in others)
        table.add_row(row["name"], f"{row['params'] / 1e6:.1f}", f"{row['kbps']:.2f}", *speeds, *times)
    _show(table, report, f"{seconds:g} s of audio, the median of {repeats} runs", json_file)


@app.command()
def tts(
    json_file: Json = None,
    model: Annotated[
        str | None, typer.Option(help=f"Name or folder of a TTS; else {MODEL}, or its like with random weights.")
    ] = None,
    voice: Annotated[str | None, typer.Option(help="Name or file of a voice; else 4 s of random units.")] = None,
    text: Annotated[str, typer.Option(help="What to say.")] = TEXT,
    threads: Threads = 2,
    repeats: Repeats = 3,
) -> None:
    """Say a text in 1 to 8 steps, with and without guidance.

    Example: speechgen bench tts --json tts.json --threads 2
    """
    from rich.table import Table

    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.bench import DRAWINGS, bench_speech, random_synthesiser, random_voice
    from speechgen.evaluation.coding import model_name
    from speechgen.models.load import shipped
    from speechgen.serving.synthesiser import Synthesiser
    from speechgen.serving.voices import find_voice

    if model is None and MODEL not in shipped():
        name, synthesiser = "random weights", random_synthesiser()
    else:
        name, synthesiser = model_name(model or MODEL), Synthesiser.load(model or MODEL)
    spoken_in = random_voice(synthesiser) if voice is None else find_voice(voice)
    with progress_bar("bench", len(DRAWINGS)) as advance:
        report = bench_speech(synthesiser, name, text, spoken_in, DRAWINGS, repeats, threads, advance)
    table = Table("model", "M params", "steps", "guidance", "seconds", "x real time", "first audio, ms")
    for row in report["rows"]:
        speed, first = f"{row['x_real_time']:.2f}", f"{1000 * row['first_audio']:.0f}"
        sizes = f"{row['params'] / 1e6:.1f}", str(row["steps"]), f"{row['guidance']:g}", f"{row['seconds']:.1f}"
        table.add_row(row["name"], *sizes, speed, first)
    _show(table, report, f"the median of {repeats} runs", json_file)


def _show(table, report: dict, how: str, json_file: Path | None) -> None:
    from rich.console import Console

    from speechgen.evaluation.logs import write_json

    Console().print(table)
    for target in report["targets"]:
        met = "met" if target["met"] else "missed"
        typer.echo(f"{target['what']}: {target['measured']:.1f} (at least {target['at_least']:g}: {met})")
    typer.echo(f"{report['machine']}; {report['threads']} threads; {how}")
    if json_file:
        write_json(json_file, report)
        typer.echo(f"figures: {json_file}")
