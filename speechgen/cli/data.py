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


@app.command()
def check(
    data_dir: Annotated[Path, typer.Argument(help="Kaldi data directory.")],
    corpus: Annotated[Path | None, typer.Option(help="Folder that relative paths in wav.scp start from.")] = None,
    max_bad: Annotated[float, typer.Option("--max_bad", min=0, max=1, help="Share of bad utterances allowed.")] = 0.05,
    write: Annotated[Path | None, typer.Option(help="Write the good utterances here, tidied.")] = None,
    sample_rate: Annotated[int | None, typer.Option("--sample_rate", help="Hz wanted; lower ones are told.")] = None,
    min_seconds: Annotated[float, typer.Option("--min_seconds", min=0, help="Shorter recordings are bad.")] = 0.1,
    max_seconds: Annotated[float, typer.Option("--max_seconds", min=0, help="Longer recordings are bad.")] = 120.0,
    nj: Annotated[int, typer.Option("--nj", min=1, help="Processes.")] = 1,
    trust_pipes: Annotated[bool, typer.Option("--trust_pipes", help="Run the commands in wav.scp.")] = False,
) -> None:
    """Check a data directory as strictly as Kaldi does, and read every recording.

    Each bad utterance is named with its reason. Fails when too many are bad, or when a file is not as Kaldi
    wants it and --write was not given to repair it.

    Example: speechgen data check data/train --nj 4 --write data/train_good
    """
    from speechgen.audio.checks import Limits
    from speechgen.cli.progress import progress_bar
    from speechgen.data.check import check_data_dir
    from speechgen.errors import UserError

    with progress_bar(f"check {data_dir}", None) as advance:
        report = check_data_dir(
            data_dir,
            corpus,
            jobs=nj,
            trust_pipes=trust_pipes,
            limits=Limits(min_seconds=min_seconds, max_seconds=max_seconds),
            sample_rate=sample_rate,
            on_utterance=advance,
        )
    for utterance, reason in report.bad.items():
        typer.echo(f"bad: {utterance}: {reason}")
    for sentence in report.untidy:
        typer.echo(f"untidy: {sentence}")
    for kind, found in report.warnings_by_kind().items():
        where, sentence = found[0]
        others = f" (and {len(found) - 1} others)" if len(found) > 1 else ""
        typer.echo(f"warning: {kind}: {where} {sentence}{others}")
    good = len(report.good.utterances)
    typer.echo(f"{data_dir}: {good} good, {len(report.bad)} bad, {len(report.warnings)} warnings")
    if write is not None and good:
        report.good.write(write)
        typer.echo(f"{write}: {good} utterances written")
    report.refuse(data_dir, max_bad)
    if report.untidy and write is None:
        raise UserError(f"{data_dir}: {report.untidy[0]}; give --write DIR to write it as Kaldi wants it")
