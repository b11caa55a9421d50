"""Verbs on data directories: import, check, info, mini."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make and check Kaldi data directories.")


@app.command("import")
def import_(
    name: Annotated[str, typer.Argument(help="speechocean762, kathleen, kerstin, fsdd, or starter (the first three).")],
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus; for starter the folder that holds all three.")],
    out: Annotated[Path, typer.Option(help="Where train, dev and test are written.")] = Path("data"),
) -> None:
    """Turn a known corpus into data directories train, dev and test.

    Example: speechgen data import kathleen --corpus /corpora/kathleen --out data
    """
    from speechgen.data.corpora import prepare

    for split, directory in prepare(name, corpus, out).items():
        speakers = {utterance.speaker for utterance in directory.utterances}
        typer.echo(f"{out / split}: {len(directory.utterances)} utterances, {len(speakers)} speakers")
