"""``speechgen journal``: how a chain of trainings went, as a page."""

from pathlib import Path
from typing import Annotated

import typer


def journal(
    exp: Annotated[Path, typer.Argument(help="Folder with the runs of a chain, such as exp/overnight.")],
    out: Annotated[Path, typer.Option(help="Markdown page to write; audio and pictures go into a folder beside it.")],
    title: Annotated[str, typer.Option(help="Title of the page.")] = "From recordings to a voice",
) -> None:
    """Write the page of a chain of trainings: costs, curves, audio at every evaluation, scores.

    Example: speechgen journal exp/overnight --out docs/overnight.md
    """
    from speechgen.evaluation.journal import INDEX, write_journal

    runs = write_journal(exp, out, title)
    typer.echo(f"{out}: {', '.join(run.name for run in runs)}; to listen: {out.with_suffix('') / INDEX}")
