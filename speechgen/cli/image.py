"""Verbs on images: prepare, generate, generate-set, score."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make images of labels, in any order and with any head; measure them.")

Model = Annotated[str, typer.Argument(help="Name or folder of a generator of images.")]
Guidance = Annotated[float, typer.Option(help="How strongly to keep to the label; 1 is as learned.")]
Temperature = Annotated[float, typer.Option(min=0, help="How lively to draw.")]
Steps = Annotated[int | None, typer.Option(help="Steps of a flow or diffusion.")]
Solver = Annotated[str | None, typer.Option(help="euler or midpoint for a flow, ddim or ddpm for a diffusion.")]
OrderSteps = Annotated[int | None, typer.Option("--order_steps", help="Steps of the masked order.")]
Small = Annotated[str | None, typer.Option(help="The model of small images, where MODEL enlarges them.")]
Draft = Annotated[str | None, typer.Option(help="Smaller generator that proposes codes to one from the left.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same images.")]


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="digits (scikit-learn's, 8 x 8 pixels), mnist, or fxemoji.")],
    corpus: Annotated[Path | None, typer.Option(help="Folder that holds mnist.npz, or names.tsv.")] = None,
    out: Annotated[Path, typer.Option(help="Where train, dev and test are written.")] = Path("data"),
) -> None:
    """Write the train, dev and test images of a corpus.

    Example: speechgen image prepare mnist --corpus /corpora/mnist --out data
    """
    from speechgen.data.image_corpora import prepare_images

    for split, images in prepare_images(name, corpus).items():
        images.write(out / split)
        height, width = images.pixels.shape[1:3]
        typer.echo(f"{out / split}: {len(images)} images of {width} x {height} pixels, {len(images.names)} labels")


@app.command()
def generate(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .png to write.")],
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "--caption", help="What to draw; again for more; else every label."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Images of each label.")] = 8,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    steps: Steps = None,
    solver: Solver = None,
    order_steps: OrderSteps = None,
    seed: Seed = 0,
    small: Small = None,
    draft: Draft = None,
) -> None:
    """Draw a sheet of images, a column for each label. A draft spares passes, not quality.

    Example: speechgen image generate exp/image --label 3 --label 7 --count 4 -o sevens.png
    """
    import torch

    from speechgen.errors import UserError
    from speechgen.evaluation.images import Painter, load_generator, write_png
    from speechgen.models.draft import draw_images_with_draft
    from speechgen.models.draw import Drawing
    from speechgen.training.images import sheet

    if out.suffix.lower() != ".png" or not out.resolve().parent.is_dir():
        raise UserError(f"{out}: name a .png in a folder that exists")
    painter = Painter(model, small)
    names = label or painter.names()
    drawing = Drawing(guidance, temperature, steps, solver, order_steps)
    draws = torch.Generator().manual_seed(seed)
    if draft:
        network = painter.network
        asked = network.label_ids(names * count), drawing, draws
        images, tally = draw_images_with_draft(network, load_generator(draft), *asked)
        typer.echo(f"draft: {tally}")
    else:
        images = painter.draw(names * count, drawing, draws)
    write_png(out, sheet(images, len(names)))
    typer.echo(f"{out}: {len(images)} images of {', '.join(names)}, seed {seed}")


@app.command("generate-set")
def generate_set(
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder for the images, a sheet of some of them, and notes.")],
    each: Annotated[int, typer.Option(min=1, help="Images of each label.")] = 100,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    steps: Steps = None,
    solver: Solver = None,
    order_steps: OrderSteps = None,
    seed: Seed = 0,
    small: Small = None,
    captions: Annotated[
        Path | None, typer.Option(help="Images whose captions to draw, of a model of captions.")
    ] = None,
) -> None:
    """Draw images of every label, or of captions, to score them.

    Example: speechgen image generate-set exp/image --each 100 --out exp/image/generate
    """
    from speechgen.cli.progress import progress_bar
    from speechgen.evaluation.images import generate_set as make_all
    from speechgen.models.draw import Drawing

    drawing = Drawing(guidance, temperature, steps, solver, order_steps)
    with progress_bar("generate", None) as advance:
        make_all(model, each, out, drawing, seed, advance, small, captions)
    typer.echo(f"{out}: {each} images of each label or caption, and sheet.png")


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that 'image generate-set' wrote.")],
    test: Annotated[Path, typer.Option(help="Test images at the model's size, from 'speechgen dump images'.")],
    classifier: Annotated[
        str, typer.Option(help="Name or folder of what judges: a classifier, or of captions a CLIP.")
    ],
    model: Annotated[str, typer.Option(help="The generator, whose tokenizer is scored beside it.")],
    results: Annotated[Path | None, typer.Option(help="Also write the table to this Markdown file.")] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="TorchScript file, by whose features the distance is measured, too. It is given uint8 RGB images "
            "(N, 3, H, W), not resized."
        ),
    ] = None,
) -> None:
    """Score generated images: recognised by a classifier, and Frechet distance. Writes report.json, RESULTS.md.

    Example: speechgen image score exp/image/generate --test dump/test --classifier exp/classifier --model exp/image
    """
    from speechgen.evaluation.images import score_set, write_image_results
    from speechgen.evaluation.judged import judged_table

    report = score_set(folder, test, classifier, model, features)
    if results:
        write_image_results(results, report)
    typer.echo(judged_table(report))


@app.command()
def clip(
    model: Annotated[str, typer.Argument(help="Name or folder of a CLIP: ours, or one that transformers saved.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures to judge.")],
    caption: Annotated[list[str], typer.Option(help="What may be in them; again for more.")],
) -> None:
    """Score how well captions belong to pictures: cosines, at most 1.

    Example: speechgen image clip exp/clip cat.png dog.png --caption "cat face" --caption "dog face"
    """
    from speechgen.evaluation.clip import clip_scores

    for path, scores in zip(pictures, clip_scores(model, pictures, caption), strict=True):
        for words, score in zip(caption, scores, strict=True):
            typer.echo(f"{path}  {score:6.3f}  {words}")


@app.command()
def invert(
    model: Annotated[str, typer.Argument(help="Name or folder of a generator of images.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures of one thing: one or more, usually three to five.")],
    name: Annotated[str, typer.Option(help="The new label, or the new word of captions, for that thing.")],
    out: Annotated[Path, typer.Option(help="Folder of the model that knows it.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 300,
    learning_rate: Annotated[float, typer.Option("--learning_rate", min=1e-6, max=1, help="Of the new vector.")] = 0.02,
    seed: Seed = 0,
) -> None:
    """Teach a generator a new word from a few pictures of its size (textual inversion); nothing else changes.

    Example: speechgen image invert exp/image a.png b.png c.png --name mine --out exp/mine
    """
    import torch

    from speechgen.cli.progress import progress_bar
    from speechgen.errors import UserError
    from speechgen.evaluation.card import Card, count_parameters, stored_bytes
    from speechgen.evaluation.images import load_generator, read_pictures
    from speechgen.models.generator import Generator
    from speechgen.models.load import save_model
    from speechgen.training.inversion import invert as learn

    network = load_generator(model)
    if not isinstance(network, Generator):
        raise UserError(f"{model}: is told a label once for the whole image; invert one of kind: image")
    if out.exists():
        raise UserError(f"{out}: exists; name a new folder")
    size = network.config.tokenizer
    images = read_pictures(pictures, size.side, size.channels, resize=False)
    generator, losses = torch.Generator().manual_seed(seed), []
    with progress_bar("invert", steps) as advance:

        def on_step(loss: float) -> None:
            losses.append(loss)
            advance()

        learned = learn(network, images, name, steps, learning_rate, generator, on_step)
    note = f"{name!r} was learned from {len(pictures)} pictures in {steps} steps by textual inversion."
    card = Card(out.name, learned.config, count_parameters(learned), stored_bytes(learned, False), out, note=note)
    save_model(out, learned.config, learned, card.to_markdown())
    some = max(1, min(20, steps // 2))
    first, last = (sum(part) / some for part in (losses[:some], losses[-some:]))
    fell = f"loss {first:.3f} in the first {some} steps, {last:.3f} in the last" if steps > 1 else f"loss {first:.3f}"
    typer.echo(f"{out}: knows {name!r}; {fell}")
