"""``speechgen systems``: the map of generation, as a list."""

from pathlib import Path
from typing import Annotated

import typer


def systems(
    json: Annotated[Path | None, typer.Option(help="Also write the list to this file.")] = None,
) -> None:
    """List the named systems: unit, order and head of each, and the commands that train it and sample from it.

    Example: speechgen systems --json systems.json
    """
    from json import dumps

    from speechgen.models.systems import SYSTEMS

    for system in SYSTEMS:
        typer.echo(f"{system.name}: {system.unit}, {system.order}, {system.head}")
        typer.echo(f"  train   {system.train}\n  sample  {system.sample}")
    if json:
        json.write_text(dumps([system.as_dict() for system in SYSTEMS], indent=1) + "\n", encoding="utf-8")
