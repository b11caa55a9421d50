"""``speechgen dump units``: audio dumps to latents, codes and alignments."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer


def units(
    dump: Annotated[Path, typer.Argument(help="Folder that 'speechgen dump audio' wrote.")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    codec: Annotated[str, typer.Option(help="Codec: a shipped name, a model folder or a run.")] = "speech-16k",
    listener: Annotated[str, typer.Option(help="Listener that aligns: a name or folder.")] = "listener-16k",
    max_bad: Annotated[float, typer.Option("--max_bad", help="Largest share that may fail to align.")] = 0.1,
    speed_perturb_factors: Annotated[
        str, typer.Option("--speed_perturb_factors", help="Add copies at these speeds, as other speakers': 0.9,1.1.")
    ] = "",
    perturbed_speakers: Annotated[
        str, typer.Option("--perturbed_speakers", help="Copy these speakers only: a name, or a pattern with *.")
    ] = "*",
) -> None:
    """Write the units a TTS learns from: codec latents and codes, and when each phoneme is said.

    Example: speechgen dump units dump/train dump/train.units --codec speech-16k --listener listener-16k
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.data.shards import read_shards
    from speechgen.data.units import write_units
    from speechgen.errors import UserError
    from speechgen.models.dump import dump_units
    from speechgen.models.load import load, unit_fingerprint

    speeds = _speeds(speed_perturb_factors)
    examples = read_shards(dump)
    if speeds and not any(fnmatchcase(example.speaker, perturbed_speakers) for example in examples):
        raise UserError(f"--perturbed_speakers {perturbed_speakers}: {dump} has no such speaker")
    models = load(codec), load(listener)
    skipped: dict[str, str] = {}
    with progress_bar(f"dump {dump}", len(examples)) as advance:
        made = dump_units(*models, examples, skipped.__setitem__, advance, speeds, perturbed_speakers)
        count = write_units(out, made, {"codec": unit_fingerprint(models[0]), "sample_rate": models[0].sample_rate})
    for utterance, reason in skipped.items():
        typer.echo(f"skipped {utterance}: {reason}", err=True)
    typer.echo(f"{out}: {count} utterances, {len(skipped)} skipped")
    if len(skipped) > max_bad * len(examples):
        raise UserError(f"{dump}: {len(skipped)} of {len(examples)} utterances failed, more than --max_bad {max_bad:g}")


def _speeds(factors: str) -> list[float]:
    """Speeds from "0.9,1.1"; raises UserError for what is none, or is no change, or is no voice any more."""
    from speechgen.errors import UserError

    try:
        speeds = [float(factor) for factor in factors.split(",") if factor.strip()]
    except ValueError:
        speeds = [0.0]
    for speed in speeds:
        if not 0.5 <= speed <= 2 or speed == 1:
            raise UserError(f"--speed_perturb_factors {factors}: expected speeds from 0.5 to 2, not 1, such as 0.9,1.1")
    return speeds
