"""``speechgen systems``: the map of generation, as a list, and what became of it."""

from pathlib import Path
from typing import Annotated

import typer


def systems(
    json: Annotated[Path | None, typer.Option(help="Also write the list to this file.")] = None,
    commands: Annotated[
        str | None, typer.Option(help="Only print the commands that train and score those of a recipe: egs/mini/image.")
    ] = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Collect scores and samples of those trained below egs/ in this folder.")
    ] = None,
) -> None:
    """List the named systems: unit, order and head of each, and the commands that train it and sample from it.

    Example: speechgen systems --json systems.json
    """
    from json import dumps

    from speechgen.errors import UserError, nearest
    from speechgen.models.systems import SYSTEMS

    if commands is not None:
        recipes = list(dict.fromkeys(system.recipe for system in SYSTEMS))
        if commands.rstrip("/") not in recipes:
            raise UserError(f"--commands {commands}: no recipe of a named system{nearest(commands, recipes)}")
        for system in SYSTEMS:
            if system.recipe == commands.rstrip("/"):
                typer.echo(system.whole)
        return
    if gallery is not None:
        from speechgen.evaluation.gallery import write_gallery

        found = write_gallery(SYSTEMS, Path(), gallery)
        typer.echo(f"{gallery}/README.md: {len(found)} of {len(SYSTEMS)} systems were trained here: {', '.join(found)}")
        return
    for system in SYSTEMS:
        typer.echo(f"{system.name}: {system.unit}, {system.order}, {system.head}")
        typer.echo(f"  train   {system.train}\n  sample  {system.sample}")
    if json:
        json.write_text(dumps([system.as_dict() for system in SYSTEMS], indent=1) + "\n", encoding="utf-8")
