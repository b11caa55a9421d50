"""``speechgen train``: one verb for every kind of model."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="Experiment config, e.g. conf/codec.yaml.")],
    exp: Annotated[Path, typer.Option(help="Folder of the run: config, checkpoints, tensorboard.")],
    set: Annotated[list[str] | None, typer.Option("--set", help="Override a key: --set training.steps=100.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the newest checkpoint in the folder.")] = True,
    device: Annotated[str | None, typer.Option(help="'cpu' to leave a GPU unused, 'cuda' to insist on one.")] = None,
    until: Annotated[int | None, typer.Option(help="Stop early at this step, with a checkpoint.")] = None,
) -> None:
    """Train a listener, codec, TTS, WaveNet, or a model of images; a run that was stopped goes on where it was.

    Example: speechgen train conf/codec.yaml --exp exp/codec --set training.steps=2000
    """
    from speechgen.errors import UserError
    from speechgen.training.experiment import read_experiment, run_experiment

    experiment = read_experiment(config, set or [])
    if not resume and (exp / "checkpoints").exists():
        raise UserError(f"{exp}: holds a run already; choose another --exp, or leave out --no-resume")
    run_experiment(experiment, exp, device, until)
