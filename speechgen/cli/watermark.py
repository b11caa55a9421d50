"""``speechgen watermark``: was this generated here? And how sure is the answer?"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Find the mark of generated speech, set it, and measure how well it holds."
)


@app.command()
def detect(
    files: Annotated[list[Path], typer.Argument(help="Recordings of any format that libsndfile reads.")],
) -> None:
    """Tell of each recording whether it holds the mark; the exit status is 1 when one does not.

    No mark is no proof: a mark can be taken out, and other programs set none.

    Example: speechgen watermark detect call.opus
    """
    from speechgen.audio.files import read_audio
    from speechgen.audio.watermark import detect as look

    missing = False
    for file in files:
        found = look(*read_audio(file))
        missing = missing or not found.found
        if found.found:
            where = f"{found.start:.1f} to {found.end:.1f} s"
            typer.echo(f"{file}: marked, {where} (by accident with a probability below {found.chance:.0e})")
        else:
            typer.echo(f"{file}: no mark found")
    if missing:
        raise typer.Exit(1)


@app.command()
def add(
    source: Annotated[Path, typer.Argument(help="Recording to mark.")],
    out: Annotated[Path, typer.Argument(help="Audio file to write.")],
) -> None:
    """Mark a recording, mixed down to mono, as generated.

    Example: speechgen watermark add generated.wav marked.wav
    """
    from speechgen.audio.files import read_audio, writable, write_audio
    from speechgen.audio.watermark import mark

    writable(out)
    wave, rate = read_audio(source)
    write_audio(out, mark(wave, rate), rate)
    typer.echo(f"{out}: {len(wave) / rate:.2f} s, marked")


@app.command("eval")
def evaluate(
    sources: Annotated[
        list[Path], typer.Argument(help="Data directories, manifests or folders of recordings that hold no mark.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="Recordings of 3 to 10 s taken from each source.")] = 50,
    rate: Annotated[int, typer.Option(min=8000, help="Rate at which they are marked, in Hz.")] = 16000,
    out: Annotated[Path | None, typer.Option(help="JSON file to write the figures to.")] = None,
) -> None:
    """Measure on recordings: how often the mark is found after each attack, and by mistake, and what it costs.

    Example: speechgen watermark eval data/kathleen/test data/speechocean762/test --out watermark.json
    """
    import json

    from speechgen.cli.progress import progress_bar
    from speechgen.errors import UserError
    from speechgen.evaluation.watermark import measure, to_table

    if out and not out.parent.is_dir():
        raise UserError(f"{out.parent}: no such folder")
    with progress_bar("recordings", limit * len(sources)) as advance:
        report = measure(sources, limit, rate, advance)
    if out:
        out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    typer.echo(to_table(report))
