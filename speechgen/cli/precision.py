"""The option ``--precision`` of the verbs that speak or code."""

from typing import Annotated, Literal

import typer

Precision = Annotated[
    Literal["f32", "bf16", "int8"], typer.Option(help="In which numbers it multiplies: f32, bf16 or int8.")
]
