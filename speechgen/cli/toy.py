"""Verbs that teach: toy flow."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Small lessons on how generation works.")


@app.callback()
def toy() -> None:
    """Small lessons on how generation works."""


@app.command()
def flow(
    out: Annotated[Path, typer.Option(help="Folder for pictures, animations and distances.json.")],
    training_steps: Annotated[
        int, typer.Option("--training_steps", min=10, help="Steps that each of the networks is trained for.")
    ] = 2000,
    width: Annotated[int, typer.Option(min=1, help="Width of the networks that are large enough.")] = 128,
    small_width: Annotated[int, typer.Option("--small_width", min=1, help="Width of the one that is too small.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same points.")] = 0,
) -> None:
    """Learn to carry noise to two Gaussians and to a spiral: by flow, diffusion and rectified flow.

    Prints how far the points lie from the data after 1, 3, 10 and 50 steps of sampling; writes the paths as PNG and
    the vector fields as GIF.

    Example: speechgen toy flow --out toy
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.toy import Lesson, run_lesson, table

    lesson = Lesson(small=(small_width, 1), large=(width, 3), training_steps=training_steps, seed=seed)
    with progress_bar("toy flow", lesson.rounds) as advance:
        rows = run_lesson(lesson, out, on_step=advance)
    for distance in ("energy", "sliced_wasserstein"):
        typer.echo(f"{distance.replace('_', ' ')} distance from the data\n{table(rows, distance)}\n")
    typer.echo(f"{out}: " + ", ".join(sorted(path.name for path in out.iterdir())))
