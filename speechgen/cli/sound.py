"""Verbs on sounds of labels: generate, generate-set, score."""

from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.image import Guidance, OrderSteps, Solver, Steps, Temperature

app = typer.Typer(no_args_is_help=True, help="Make sounds of labels, in any order and with any head; measure them.")

Model = Annotated[str, typer.Argument(help="Name or folder of a generator of sounds.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same sounds.")]


@app.command()
def generate(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .wav or .flac to write.")],
    label: Annotated[list[str] | None, typer.Option(help="What to make; again for more; else every label.")] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Sounds of each label.")] = 1,
    prompt: Annotated[Path | None, typer.Option(help="A recording whose beginning is to be continued.")] = None,
    prompt_seconds: Annotated[float, typer.Option("--prompt_seconds", min=0.05, help="How much of it.")] = 1.0,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    steps: Steps = None,
    solver: Solver = None,
    order_steps: OrderSteps = None,
    seed: Seed = 0,
) -> None:
    """Make sounds of labels, or continue a prompt; they follow each other in one file.

    Example: speechgen sound generate exp/sound --label seven --count 3 -o sevens.wav
    """
    import torch

    from speechgen.audio.files import write_audio
    from speechgen.errors import UserError
    from speechgen.evaluation.judged import load_grid_generator
    from speechgen.evaluation.sound_sets import one_after_another
    from speechgen.models.draw import Drawing, draw_images
    from speechgen.models.prompts import prompt_units

    if out.suffix.lower() not in (".wav", ".flac") or not out.resolve().parent.is_dir():
        raise UserError(f"{out}: name a .wav or .flac in a folder that exists")
    network = load_grid_generator(model, "sound")
    if prompt is not None and not label:
        names, labels = ["nothing told"], torch.full((count,), len(network.config.labels))
    else:
        names = label or network.config.labels
        labels = network.label_ids(names).repeat_interleave(count)
    given = prompt_units(network, prompt, prompt_seconds, len(labels)) if prompt is not None else None
    drawing = Drawing(guidance, temperature, steps, solver, order_steps)
    waves = draw_images(network, labels, drawing, torch.Generator().manual_seed(seed), prompt=given).squeeze(1)
    rate = network.tokenizer.codec.sample_rate
    write_audio(out, one_after_another(waves, rate), rate)
    typer.echo(f"{out}: {len(labels)} sounds of {', '.join(names)}, seed {seed}")


@app.command("generate-set")
def generate_set(
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder for the sounds, spectrograms of some of them, and notes.")],
    each: Annotated[int, typer.Option(min=1, help="Sounds of each label.")] = 30,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    steps: Steps = None,
    solver: Solver = None,
    order_steps: OrderSteps = None,
    seed: Seed = 0,
) -> None:
    """Make sounds of every label, to score them.

    Example: speechgen sound generate-set exp/sound --each 30 --out exp/sound/generate
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.sound_sets import generate_set as make_all
    from speechgen.models.draw import Drawing

    drawing = Drawing(guidance, temperature, steps, solver, order_steps)
    with progress_bar("generate", None) as advance:
        make_all(model, each, out, drawing, seed, advance)
    typer.echo(f"{out}: {each} sounds of each label, and sheet.png")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that 'sound generate-set' wrote.")],
    test: Annotated[Path, typer.Option(help="Test recordings, from 'speechgen dump audio'.")],
    train: Annotated[Path, typer.Option(help="Training recordings, which the distance is measured from.")],
    classifier: Annotated[str, typer.Option(help="Name or folder of the classifier that judges.")],
    model: Annotated[str, typer.Option(help="The generator, whose codec is scored beside it.")],
    label: Annotated[str, typer.Option(help="What a recording is called: text, or a label such as speaker.")] = "text",
    results: Annotated[Path | None, typer.Option(help="Also write the table to this Markdown file.")] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="TorchScript file, by whose features the distance is measured, too. It is given waves (N, T) at "
            "16 kHz; each frame that it returns, or else each sound, is an observation."
        ),
    ] = None,
) -> None:
    """Score generated sounds: recognised by a classifier, and Frechet audio distance. Writes report.json, RESULTS.md.

    Example: speechgen sound score exp/sound/generate --test dump/test --train dump/train --classifier exp/classifier \
    --model exp/sound
    """
    from speechgen.evaluation.judged import judged_table
    from speechgen.evaluation.sound_sets import score_set

    typer.echo(judged_table(score_set(folder, test, train, label, classifier, model, results, features)))
