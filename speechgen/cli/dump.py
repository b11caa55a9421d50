"""Verbs that turn data directories into what training reads."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Dump data directories into shards that training reads.")


@app.callback()
def dump() -> None:
    """Dump data directories into shards that training reads."""


@app.command()
def audio(
    data_dir: Annotated[Path, typer.Argument(help="Kaldi data directory.")],
    out_dir: Annotated[Path, typer.Argument(help="Folder of the dump; appears when complete.")],
    sample_rate: Annotated[int, typer.Option("--sample_rate", min=4000, max=192000, help="Hz.")] = 16000,
    nj: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    corpus: Annotated[Path | None, typer.Option(help="Folder that relative paths in wav.scp start from.")] = None,
) -> None:
    """Decode, resample and pack all recordings of a data directory as FLAC shards (Lhotse Shar).

    Example: speechgen dump audio data/train dump/train --sample_rate 16000 --nj 4
    """
    from rich.console import Console
    from rich.progress import Progress

    from speechgen.data.kaldi import DataDir
    from speechgen.data.shards import write_shards

    directory = DataDir.read(data_dir, corpus)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(f"{data_dir}", total=len(directory.utterances))
        dumped = write_shards(directory, out_dir, sample_rate, jobs=nj, on_utterance=lambda: progress.advance(task))
    for utterance, reason in dumped.skipped.items():
        typer.echo(f"skipped {utterance}: {reason}", err=True)
    typer.echo(f"{out_dir}: {dumped.utterances} utterances, {dumped.seconds / 3600:.2f} h, {len(dumped.skipped)} skipped")
