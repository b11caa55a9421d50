"""``speechgen pack``: from the folder of a run to the folder of a model."""

from pathlib import Path
from typing import Annotated

import typer


def pack(
    exp: Annotated[Path, typer.Argument(help="Folder of a training run.")],
    out: Annotated[Path, typer.Option(help="Folder to write: config.yaml, model.safetensors, README.md.")],
    name: Annotated[str, typer.Option(help="What the card calls the model; else the folder's name.")] = "",
    half: Annotated[bool, typer.Option("--half", help="Store weights in 16 bits: half the size.")] = False,
    licence: Annotated[str, typer.Option(help="Licence of the weights, such as CC-BY-4.0.")] = "",
    note: Annotated[str, typer.Option(help="A sentence or two for the end of the card.")] = "",
    discriminators: Annotated[
        bool, typer.Option(help="Keep a codec's discriminators, for fine-tuning; nothing else loads them.")
    ] = True,
) -> None:
    """Write a model folder from a run: the averaged weights, the config, and a card with data, cost and scores.

    Example: speechgen pack exp/codec --out exp/codec/packed --half --licence CC-BY-4.0
    """
    from speechgen.errors import UserError
    from speechgen.evaluation.card import MEGA, Card, count_parameters, stored_bytes
    from speechgen.evaluation.coding import model_name
    from speechgen.evaluation.logs import read_json
    from speechgen.evaluation.score import REPORT
    from speechgen.models.load import load, load_entropy, save_model
    from speechgen.models.weights import list_checkpoints
    from speechgen.tokenizers.entropy import FILE
    from speechgen.training.opponents import KEPT, keep_discriminators

    if not list_checkpoints(exp):
        raise UserError(f"{exp}: is no training run with a checkpoint; name the folder given to 'train --exp'")
    if out.exists() and any(out.iterdir()) and not (out / "model.safetensors").exists():
        raise UserError(f"{out}: holds something that is no model; name a new folder")
    module = load(exp)
    report = exp / "generate" / REPORT
    card = Card(
        name or model_name(out),
        module.config,
        count_parameters(module),
        stored_bytes(module, half),
        exp,
        read_json(report) if report.exists() else None,
        licence,
        note,
    )
    save_model(out, module.config, module, card.to_markdown(), half)
    if coder := load_entropy(exp):
        coder.save(out / FILE)
    if not discriminators:
        (out / KEPT).unlink(missing_ok=True)
    elif keep_discriminators(exp, out, half):
        typer.echo(f"{out / KEPT}: {(out / KEPT).stat().st_size / MEGA:.1f} MB, for fine-tuning only")
    scored = "" if report.exists() else "; no scores, run the stages generate and score first"
    typer.echo(f"{out}: {card.parameters / MEGA:.2f} M parameters, {card.size / MEGA:.1f} MB{scored}")
