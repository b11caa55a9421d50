"""Verbs on data directories: import, export, mini, info, check."""

import typing
from pathlib import Path
from typing import Annotated

import typer

if typing.TYPE_CHECKING:
    from speechgen.data.kaldi import DataDir

app = typer.Typer(no_args_is_help=True, help="Make and check Kaldi data directories.")


@app.command("import")
def import_(
    name: Annotated[
        str,
        typer.Argument(
            help="speechocean762, kathleen, kerstin, starter (these three), fsdd, meatbass, esc10 or sounds (starter "
            "and these two); kaldi (train/ dev/ test/), folder (with a table of texts, or a.wav beside a.txt), "
            "recordings (without texts) or manifest (Lhotse) for your own."
        ),
    ],
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus; for starter the folder that holds all three.")],
    out: Annotated[Path, typer.Option(help="Where train, dev and test are written.")] = Path("data"),
    language: Annotated[str, typer.Option(help="Language of your own corpus where it does not say.")] = "en",
) -> None:
    """Turn a corpus into data directories train, dev and test, or Lhotse manifests into one directory.

    Example: speechgen data import kathleen --corpus /corpora/kathleen --out data

    Example: speechgen data import folder --corpus ~/my_voice --language de --out data

    Example: speechgen data import manifest --corpus cuts.jsonl.gz --out data/train
    """
    from speechgen.data.corpora import CORPORA, OWN, prepare
    from speechgen.data.manifests import read_manifests
    from speechgen.data.own import without_text
    from speechgen.errors import UserError, nearest

    if name == "manifest":
        directories = {out: read_manifests(corpus, language)}
        directories[out].write(out)
    elif name in [*CORPORA, *OWN]:
        directories = {out / split: directory for split, directory in prepare(name, corpus, out, language).items()}
    else:
        raise UserError(f"no corpus named {name!r}{nearest(name, [*CORPORA, *OWN, 'manifest'])}")
    _tell(directories)
    if name == "folder" and (silent := without_text(corpus)):
        typer.echo(f"{corpus}: {silent} recordings have no text yet and are left out; add texts and run this again")


@app.command()
def transcripts(
    corpus: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    draft: Annotated[
        str | None,
        typer.Option(help="Let this recogniser write a first version: pocketsphinx, a listener or whisper:FOLDER."),
    ] = None,
) -> None:
    """Begin, or add to, the table transcripts.tsv in a folder of recordings, for you to fill in or correct.

    Texts that are there stay. Recordings without one are left out by 'data import folder' until they have it.

    Example: speechgen data transcripts ~/my_voice --draft whisper:whisper-small
    """
    from speechgen.audio.files import read_audio
    from speechgen.cli.progress import progress_bar
    from speechgen.data.own import list_recordings
    from speechgen.data.transcripts import TRANSCRIPTS, write_transcripts
    from speechgen.errors import UserError

    if not corpus.is_dir():
        raise UserError(f"{corpus}: no such folder; give the folder of your recordings")
    paths = list_recordings(corpus)
    if draft is None:
        new, empty = write_transcripts(corpus, paths)
    else:
        from speechgen.evaluation.recognisers import load_recogniser

        recogniser = load_recogniser(draft)
        with progress_bar("listen", None) as advance:

            def hear(path: Path) -> str:
                advance()
                return recogniser.transcribe(*read_audio(path))

            new, empty = write_transcripts(corpus, paths, hear)
    typer.echo(f"{corpus / TRANSCRIPTS}: {len(paths)} recordings, {new} of them new, {empty} without a text")


@app.command()
def combine(
    out: Annotated[Path, typer.Argument(help="Data directory to write.")],
    data_dirs: Annotated[list[Path], typer.Argument(help="Data directories to join.")],
) -> None:
    """Join data directories into one, as Kaldi's combine_data.sh does.

    Example: speechgen data combine data/judged data/test others/test
    """
    from speechgen.data.kaldi import DataDir
    from speechgen.data.kaldi import combine as join

    joined = join([DataDir.read(one) for one in data_dirs], out)
    _tell({out: joined})


@app.command()
def export(
    data_dir: Annotated[Path, typer.Argument(help="Kaldi data directory.")],
    out: Annotated[Path, typer.Argument(help="Folder for recordings, supervisions and cuts (jsonl.gz).")],
    corpus: Annotated[Path | None, typer.Option(help="Folder that relative paths in wav.scp start from.")] = None,
) -> None:
    """Write a data directory as Lhotse manifests.

    Example: speechgen data export data/train manifests/train
    """
    from speechgen.data.kaldi import DataDir
    from speechgen.data.manifests import write_manifests

    directory = DataDir.read(data_dir, corpus)
    write_manifests(directory, out)
    typer.echo(f"{out}: {len(directory.utterances)} utterances")


@app.command()
def mini(
    out: Annotated[Path, typer.Option(help="Where train, dev, test and audio are written.")] = Path("data"),
    speakers: Annotated[int, typer.Option(help="Made-up speakers, English and German in turn.")] = 6,
    sentences: Annotated[int, typer.Option(help="Sentences of each speaker.")] = 40,
    seed: Annotated[int, typer.Option(help="Other seeds give other voices and sentences.")] = 0,
) -> None:
    """Make a small transcribed English and German corpus with espeak-ng, without any download.

    Example: speechgen data mini --out data --speakers 6 --sentences 40
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.data.mini import make_mini

    with progress_bar("mini corpus", speakers * sentences) as advance:
        directories = make_mini(out, speakers, sentences, seed, on_utterance=advance)
    _tell({out / split: directory for split, directory in directories.items()})


@app.command()
def info(
    data_dir: Annotated[Path, typer.Argument(help="Kaldi data directory.")],
    corpus: Annotated[Path | None, typer.Option(help="Folder that relative paths in wav.scp start from.")] = None,
) -> None:
    """Tell what a data directory holds: hours, speakers, languages, rates. Only headers are read.

    Example: speechgen data info data/train
    """
    from speechgen.data.info import summarise
    from speechgen.data.kaldi import DataDir

    for fact, value in summarise(DataDir.read(data_dir, corpus)).items():
        typer.echo(f"{fact}: {value}")


@app.command()
def check(
    data_dir: Annotated[Path, typer.Argument(help="Kaldi data directory.")],
    corpus: Annotated[Path | None, typer.Option(help="Folder that relative paths in wav.scp start from.")] = None,
    language: Annotated[str, typer.Option(help="Language of a directory without utt2lang.")] = "en",
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
            language,
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


def _tell(directories: dict[Path, "DataDir"]) -> None:
    for path, directory in directories.items():
        speakers = {utterance.speaker for utterance in directory.utterances}
        typer.echo(f"{path}: {len(directory.utterances)} utterances, {len(speakers)} speakers")
