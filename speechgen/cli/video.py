"""Verbs on clips: prepare, generate, generate-set, score."""

from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.image import Guidance, OrderSteps, Solver, Steps, Temperature

app = typer.Typer(no_args_is_help=True, help="Make clips of labels, in any order and with any head; measure them.")

Model = Annotated[str, typer.Argument(help="Name or folder of a generator of clips.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same clips.")]


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="moving-digits (scikit-learn's, 16 x 16 pixels) or moving-mnist.")],
    corpus: Annotated[Path | None, typer.Option(help="Folder that holds mnist.npz.")] = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Where train, dev and test are written.")] = Path("data"),
) -> None:
    """Write the train, dev and test clips of digits that move; the same seed makes the same clips.

    Example: speechgen video prepare moving-mnist --corpus /corpora/mnist --out data
    """
    from speechgen.data.clips import prepare_clips

    for split, clips in prepare_clips(name, corpus, seed).items():
        clips.write(out / split)
        typer.echo(f"{out / split}: {len(clips)} clips of {clips.size} pixels, {len(clips.names)} labels")


@app.command()
def generate(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .gif to write.")],
    label: Annotated[list[str] | None, typer.Option(help="What to draw; again for more; else every label.")] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Clips of each label.")] = 4,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    steps: Steps = None,
    solver: Solver = None,
    order_steps: OrderSteps = None,
    seed: Seed = 0,
) -> None:
    """Draw clips side by side in one moving picture, a column for each label.

    Example: speechgen video generate exp/video --label 3 --label 7 --count 4 -o sevens.gif
    """
    import torch

    from speechgen.errors import UserError
    from speechgen.evaluation.clip_sets import write_gif
    from speechgen.evaluation.judged import load_grid_generator
    from speechgen.models.draw import Drawing, draw_images

    if out.suffix.lower() != ".gif" or not out.resolve().parent.is_dir():
        raise UserError(f"{out}: name a .gif in a folder that exists")
    network = load_grid_generator(model, "video")
    names = label or network.config.labels
    labels = network.label_ids(names).repeat(count)
    drawing = Drawing(guidance, temperature, steps, solver, order_steps)
    clips = draw_images(network, labels, drawing, torch.Generator().manual_seed(seed))
    write_gif(out, clips, len(names))
    typer.echo(f"{out}: {len(labels)} clips of {', '.join(names)}, seed {seed}")


@app.command("generate-set")
def generate_set(
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder for the clips, pictures of some of them, and notes.")],
    each: Annotated[int, typer.Option(min=1, help="Clips of each label.")] = 20,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    steps: Steps = None,
    solver: Solver = None,
    order_steps: OrderSteps = None,
    seed: Seed = 0,
) -> None:
    """Draw clips of every label, to score them.

    Example: speechgen video generate-set exp/video --each 20 --out exp/video/generate
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.clip_sets import generate_set as make_all
    from speechgen.models.draw import Drawing

    drawing = Drawing(guidance, temperature, steps, solver, order_steps)
    with progress_bar("generate", None) as advance:
        make_all(model, each, out, drawing, seed, advance)
    typer.echo(f"{out}: {each} clips of each label, sheet.png and sheet.gif")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that 'video generate-set' wrote.")],
    test: Annotated[Path, typer.Option(help="Test clips at the model's size, from 'speechgen dump clips'.")],
    train: Annotated[Path, typer.Option(help="Training clips, which the distance is measured from.")],
    classifier: Annotated[str, typer.Option(help="Name or folder of the classifier that judges.")],
    model: Annotated[str, typer.Option(help="The generator, whose tokenizer is scored beside it.")],
    results: Annotated[Path | None, typer.Option(help="Also write the table to this Markdown file.")] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="TorchScript file, by whose features the distance is measured, too. It is given uint8 RGB clips "
            "(N, 3, T, H, W), not resized."
        ),
    ] = None,
) -> None:
    """Score generated clips: recognised by a classifier, and Frechet distance. Writes report.json, RESULTS.md.

    Example: speechgen video score exp/video/generate --test dump/test --train dump/train --classifier exp/classifier \
    --model exp/video
    """
    from speechgen.evaluation.clip_sets import score_set
    from speechgen.evaluation.judged import judged_table

    typer.echo(judged_table(score_set(folder, test, train, classifier, model, results, features)))
