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
    nj: Annotated[int, typer.Option("--nj", min=1, help="Processes.")] = 1,
    corpus: Annotated[Path | None, typer.Option(help="Folder that relative paths in wav.scp start from.")] = None,
    language: Annotated[str, typer.Option(help="Language of a directory without utt2lang.")] = "en",
    max_bad: Annotated[float, typer.Option("--max_bad", min=0, max=1, help="Share of bad utterances allowed.")] = 0.05,
    max_seconds: Annotated[float, typer.Option("--max_seconds", min=0, help="Longer recordings are bad.")] = 120.0,
    trust_pipes: Annotated[bool, typer.Option("--trust_pipes", help="Run the commands in wav.scp.")] = False,
) -> None:
    """Check, resample and pack all recordings of a data directory as FLAC shards (Lhotse Shar).

    Bad utterances are named and left out; too many of them stop the dump.

    Example: speechgen dump audio data/train dump/train --sample_rate 16000 --nj 4
    """
    from speechgen.audio.checks import Limits
    from speechgen.cli.progress import progress_bar
    from speechgen.data.kaldi import scan
    from speechgen.data.shards import write_shards

    directory, skipped, _ = scan(data_dir, corpus, language, trust_pipes)
    for utterance, reason in skipped.items():
        typer.echo(f"skipped {utterance}: {reason}", err=True)
    with progress_bar(f"dump {data_dir}", len(directory.utterances)) as advance:

        def tell(utterance: str, reason: str) -> None:
            advance()
            if reason:
                typer.echo(f"skipped {utterance}: {reason}", err=True)

        limits = Limits(max_seconds=max_seconds)
        dumped = write_shards(
            directory, out_dir, sample_rate, jobs=nj, limits=limits, skipped=skipped, max_bad=max_bad, on_utterance=tell
        )
    typer.echo(
        f"{out_dir}: {dumped.utterances} utterances, {dumped.seconds / 3600:.2f} h, {len(dumped.skipped)} skipped"
    )


@app.command()
def sounds(
    dump: Annotated[Path, typer.Argument(help="Folder that 'speechgen dump audio' wrote.")],
    out_dir: Annotated[Path, typer.Argument(help="Folder of the dump; appears when complete.")],
    codec: Annotated[str, typer.Option(help="Codec: a shipped name, a model folder or a run.")] = "speech-16k",
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="Length that all are brought to.")] = 1.0,
    label: Annotated[str, typer.Option(help="What a sound is called: text, or a label such as speaker.")] = "text",
) -> None:
    """Write sounds of one length as a codec's latents, with a label each, for generators of sounds.

    Example: speechgen dump sounds dump/train dump/train.sounds --codec speech-16k --seconds 1
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.data.shards import read_shards
    from speechgen.models.dump_sounds import dump_sounds
    from speechgen.models.load import load

    examples = read_shards(dump)
    with progress_bar(f"dump {dump}", len(examples)) as advance:
        dumped = dump_sounds(load(codec), examples, seconds, label, advance)
    dumped.write(out_dir)
    typer.echo(f"{out_dir}: {len(dumped)} sounds of {dumped.latents.shape[1]} frames, {len(dumped.names)} labels")


@app.command()
def clips(
    data_dir: Annotated[Path, typer.Argument(help="Folder of clips that 'speechgen video prepare' wrote.")],
    out_dir: Annotated[Path, typer.Argument(help="Folder of the dump; appears when complete.")],
    side: Annotated[int, typer.Option(min=1, max=1024, help="Pixels of each side.")] = 32,
    channels: Annotated[int, typer.Option(min=1, max=3, help="1: grey, 3: colours.")] = 1,
) -> None:
    """Bring the frames of clips to one size and to grey or colours.

    Example: speechgen dump clips data/train dump/train --side 32
    """
    from speechgen.data.clips import Clips

    dumped = Clips.read(data_dir).resized(side, channels)
    dumped.write(out_dir)
    typer.echo(f"{out_dir}: {len(dumped)} clips of {dumped.size} pixels")


@app.command()
def images(
    data_dir: Annotated[Path, typer.Argument(help="Folder of images that 'speechgen image prepare' wrote.")],
    out_dir: Annotated[Path, typer.Argument(help="Folder of the dump; appears when complete.")],
    side: Annotated[int, typer.Option(min=1, max=1024, help="Pixels of each side.")] = 28,
    channels: Annotated[int, typer.Option(min=1, max=3, help="1: grey, 3: colours.")] = 1,
) -> None:
    """Bring images to one size and to grey or colours.

    Example: speechgen dump images data/train dump/train --side 28
    """
    from speechgen.data.images import Images

    dumped = Images.read(data_dir).resized(side, channels)
    dumped.write(out_dir)
    typer.echo(f"{out_dir}: {len(dumped)} images of {side} x {side} pixels")
