"""``speechgen grid``: which unit, order and head, at equal budget?"""

from pathlib import Path
from typing import Annotated

import typer


def grid(
    config: Annotated[Path, typer.Argument(help="Grid config: a base experiment, cells, sweeps, questions.")],
    test: Annotated[Path, typer.Option(help="Held-out data: images at the models' size, or a dump of recordings.")],
    classifier: Annotated[str, typer.Option(help="Name or folder of the classifier that judges.")],
    out: Annotated[Path, typer.Option(help="Folder of the grid: a run for each cell, report, pictures.")],
    train: Annotated[Path | None, typer.Option(help="Of sounds: recordings that distances are measured from.")] = None,
    label: Annotated[str, typer.Option(help="What a recording is called: text, or a label such as speaker.")] = "text",
    tokenizers: Annotated[
        Path | None,
        typer.Option(help="Folder of the tokenizers that cells name, instead of where the config has them."),
    ] = None,
    set: Annotated[list[str] | None, typer.Option("--set", help="Override a key of all cells.")] = None,
    results: Annotated[Path | None, typer.Option(help="Where the tables go; else grid.md in the folder.")] = None,
    device: Annotated[str | None, typer.Option(help="'cpu' to leave a GPU unused.")] = None,
) -> None:
    """Train generators that differ in unit, order or head at equal budget, score them, and write tables and pictures.

    Goes on where it was stopped.

    Example: speechgen grid conf/grid.yaml --test dump/test --classifier exp/classifier --out exp/grid --results GRID.md
    """
    from speechgen.evaluation.grid import check_cells, read_grid, run_grid
    from speechgen.evaluation.grid_report import write_grid
    from speechgen.evaluation.held_out import read_held_out

    # What is wrong is said now, and not after hours of training.
    settings, cells = read_grid(config, set or [], tokenizers)
    held_out = read_held_out(settings.kind, test, classifier, train, label)
    check_cells(config, settings, cells, out, held_out)
    report = run_grid(settings, cells, out, held_out, device, lambda name: typer.echo(f"cell {name}"))
    table = results or out / "grid.md"
    write_grid(table, settings, cells, out, report, held_out)
    typer.echo(f"{table}: {len(cells)} cells")
