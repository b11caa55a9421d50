"""Verbs that say how good a codec is: generate, score, eval."""

from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.precision import Precision

MODEL = "speech-16k"
RECOGNISER = "pocketsphinx"
TOLD = 4  # metrics beside each other on the terminal

Model = Annotated[str, typer.Option(help="Name or folder of a codec.")]
Source = Annotated[Path, typer.Argument(help="Kaldi data directory, Lhotse manifest, folder of audio, or one file.")]
Kbps = Annotated[str, typer.Option(help="Bitrates in kbit/s, comma-separated.")]
Baselines = Annotated[
    str,
    typer.Option(
        help="Compare with opus, opusenc, codec2 (at one bitrate: opus:12), encodec:FOLDER, dac:FOLDER, mimi:FOLDER, "
        "speechgen:MODEL."
    ),
]
Metrics = Annotated[str, typer.Option(help="Metrics, comma-separated; empty: all.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many recordings, spread over all.")]
Jobs = Annotated[int, typer.Option("--nj", min=1, help="Processes to work with.")]
Results = Annotated[Path | None, typer.Option(help="Also write the table to this Markdown file.")]
Recogniser = Annotated[str, typer.Option(help="Who listens for the CER: pocketsphinx, or a listener's name or folder.")]
TimeLimit = Annotated[
    float, typer.Option("--time_limit", min=0.1, help="Seconds for one metric of one recording; then it has failed.")
]
Generations = Annotated[int, typer.Option(min=1, max=20, help="How often a few recordings are coded in a row.")]
Against = Annotated[Path | None, typer.Option(help="An older report.json; exit status 1 when a metric fell.")]


def generate(
    model: Annotated[str, typer.Argument(help="Name or folder of a codec.")],
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for every system's version of every recording.")],
    kbps: Kbps = "1.5,3,6",
    baselines: Baselines = "opus,codec2",
    limit: Limit = None,
    generations: Generations = 5,
    nj: Jobs = 1,
    time_limit: TimeLimit = 600.0,
    precision: Precision = "f32",
) -> None:
    """Code recordings with a codec and with baselines; goes on where it was stopped.

    Example: speechgen codec generate exp/codec data/test --kbps 1.5,3 --baselines opus --out exp/codec/generate
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.baselines import make_baselines
    from speechgen.evaluation.coding import codec_systems, model_name
    from speechgen.evaluation.facts import model_facts
    from speechgen.evaluation.generate import code_all
    from speechgen.evaluation.recordings import find_recordings

    rates = bitrates(kbps)
    recordings = find_recordings(source, limit)
    others, absent = make_baselines(baselines, rates)
    for name, reason in absent.items():
        typer.echo(f"left out {name}: {reason}", err=True)
    ours = codec_systems(model, rates, precision)
    systems = [*ours, *others]
    facts = {"model": model_name(model), **model_facts(model)}
    facts |= {f"left out {name}": reason for name, reason in absent.items()}
    subject = [system.name for system in ours]
    rate = ours[0].codec.sample_rate
    with progress_bar("generate", len(recordings.utterances) * (len(systems) + 1)) as advance:
        code_all(recordings, systems, out, rate, facts, advance, nj, time_limit, generations, True, subject)
    typer.echo(f"{out}: {len(recordings.utterances)} recordings by {len(systems)} systems")


def score(
    folder: Annotated[Path, typer.Argument(help="Folder that 'codec generate' wrote.")],
    results: Results = None,
    metrics: Metrics = "",
    nj: Jobs = 1,
    recogniser: Recogniser = RECOGNISER,
    time_limit: TimeLimit = 120.0,
    against: Against = None,
) -> None:
    """Score generated audio: report.json, report.csv, report.html and, if wanted, RESULTS.md. Goes on where it stopped.

    Example: speechgen codec score exp/codec/generate --results RESULTS.md --against old/report.json
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.generate import SUMMARY
    from speechgen.evaluation.logs import read_json
    from speechgen.evaluation.metrics import REPORTED
    from speechgen.evaluation.regress import read_report, regressions
    from speechgen.evaluation.report import write_html
    from speechgen.evaluation.results import write_codec_results
    from speechgen.evaluation.score import count_items, score_all

    older = read_report(against) if against else None
    summary = read_json(folder / SUMMARY)
    names = listed(metrics)
    with progress_bar("score", count_items(summary, names or REPORTED)) as advance:
        report = score_all(folder, names, nj, advance, time_limit, recogniser)
    page = write_html(folder, report)
    if results:
        write_codec_results(results, report)
    _show(report)
    typer.echo(f"report: {page}")
    if older is not None:
        fallen = regressions(report, older)
        for line in fallen:
            typer.echo(f"worse: {line}", err=True)
        if fallen:
            raise typer.Exit(1)
        typer.echo(f"nothing fell below {against}")


def evaluate(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for audio and reports.")],
    model: Model = MODEL,
    kbps: Kbps = "1.5,3,6",
    baselines: Baselines = "opus",
    limit: Limit = None,
    results: Results = None,
    metrics: Metrics = "",
    nj: Jobs = 1,
    recogniser: Recogniser = RECOGNISER,
    generations: Generations = 5,
    time_limit: TimeLimit = 120.0,
    against: Against = None,
    precision: Precision = "f32",
) -> None:
    """Generate and score in one go: report.html to look at, report.json and report.csv to go on with.

    Example: speechgen codec eval recordings/ --kbps 1.5,3,6 --baselines opus,codec2 --out report
    """
    from speechgen.evaluation.metrics import REPORTED, check_metrics
    from speechgen.evaluation.regress import read_report

    # What is missing is said now, and not after an hour of generation.
    check_metrics(listed(metrics) or REPORTED)
    if against:
        read_report(against)
    generate(model, source, out, kbps, baselines, limit, generations, nj, time_limit, precision)
    score(out, results, metrics, nj, recogniser, time_limit, against)


def listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def bitrates(text: str) -> list[float]:
    from speechgen.errors import UserError

    try:
        rates = [float(part) for part in listed(text)]
    except ValueError:
        raise UserError(f"--kbps {text}: expected numbers with commas, such as 1.5,3,6") from None
    if not rates:
        raise UserError("--kbps: give at least one bitrate, such as 3")
    return rates


def _show(report: dict) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from speechgen.evaluation.metrics import REPORTED
    from speechgen.evaluation.results import DIGITS

    # Parts that fit a terminal of 100 columns.
    for start in range(0, len(report["metrics"]), TOLD):
        metrics = report["metrics"][start : start + TOLD]
        table = Table(
            Column("system", no_wrap=True), "kbit/s", "n", "failed", *(REPORTED[name].title for name in metrics)
        )
        for system in report["systems"]:
            means = (f"{system[m]['mean']:.{DIGITS[m]}f}" if system[m] else "-" for m in metrics)
            rate = "-" if system["kbps"] is None else f"{system['kbps']:.2f}"
            table.add_row(system["name"], rate, str(system["n"]), str(system["failed"]), *means)
        Console().print(table)
