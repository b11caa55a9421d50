"""How good generated images are: whether a classifier reads the label that was asked for, and the Frechet distance of
its features from those of held-out images (Heusel et al. 2017; their Inception network has not seen digits)."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.data.folders import new_folder
from speechgen.data.image_corpora import read_picture
from speechgen.data.images import Images
from speechgen.errors import UserError, nearest
from speechgen.evaluation.coding import model_name
from speechgen.evaluation.distances import frechet_distance
from speechgen.evaluation.facts import model_facts
from speechgen.evaluation.feature_files import FeatureFile
from speechgen.evaluation.judged import (
    as_grid_generator,
    feature_notes,
    features_of,
    judged_table,
    recognised,
    through_tokenizer,
)
from speechgen.evaluation.logs import read_json, write_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.results import page, short_path
from speechgen.models.classifier import ImageClassifier
from speechgen.models.clip import Clip
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.generator import Generator
from speechgen.models.load import load
from speechgen.models.one_shot import OneShot
from speechgen.training.images import AT_ONCE, as_tensor, sheet

ROW_FONT = 14  # pixels high, of what stands beside a row of images


class Painter:
    """Draws images of names by a generator and, where it enlarges, by the one of the small pictures."""

    def __init__(self, model: str | Path, small: str | Path | None = None) -> None:
        """Raises UserError for models of another kind, and for two that do not fit each other."""
        self.network = load_generator(model)
        self.small = None if small is None else load_small(small, self.network, model)

    def names(self) -> list[str]:
        """All labels; raises UserError where they are words, since captions are to be made of them."""
        labels = self.network.config.labels
        if getattr(self.network.config, "captions", False):
            raise UserError(f"the model is told captions: name some by --caption{nearest('', labels)}")
        return labels

    def draw(
        self,
        names: list[str],
        drawing: Drawing,
        generator: torch.Generator,
        on_images: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """Images (N, C, side, side) in [-1, 1]; raises UserError for a name or a drawing that cannot be."""
        drawing.check(self.network)
        labels, made, small = self.network.label_ids(names), [], None
        for rows in torch.arange(len(names)).split(AT_ONCE):
            if self.small is not None:
                plain = Drawing(drawing.guidance, drawing.temperature)
                small = draw_images(self.small, self.small.label_ids([names[row] for row in rows]), plain, generator)
            made.append(draw_images(self.network, labels[rows], drawing, generator, small))
            on_images()
        return torch.cat(made)


def load_generator(model: str | Path) -> Generator | OneShot:
    """A generator of images by name or folder; raises UserError for a model of another kind."""
    loaded = load(model)
    return loaded if isinstance(loaded, OneShot) else as_grid_generator(loaded, model, "image")


def load_small(small: str | Path, network: Generator | OneShot, model: str | Path) -> Generator | OneShot:
    """The generator of the pictures that a network, which is called ``model``, enlarges; raises UserError for one of
    pictures of another size."""
    loaded = load_generator(small)
    wanted, made = getattr(network.config, "small", 0), _side(loaded)
    if wanted != made:
        raise UserError(f"{small}: makes pictures of {made} pixels, but {model} enlarges {wanted or 'none'}")
    return loaded


def read_pictures(paths: list[Path], side: int, channels: int, resize: bool = True) -> Tensor:
    """Picture files as (N, channels, side, side) in [-1, 1]; raises UserError for one that cannot be read and, unless
    they may be resized, for one of another size."""
    parts = []
    for path in paths:
        pixels = read_picture(path)
        height, width = pixels.shape[:2]
        if not resize and (width, height) != (side, side):
            raise UserError(f"{path}: has {width} x {height} pixels; bring it to the model's {side} x {side}")
        one = Images(pixels[None], np.zeros(1, np.int64), [path.name], "")
        parts.append(as_tensor(one.resized(side, channels)))
    return torch.cat(parts)


def write_png(path: Path, page: np.ndarray, rows: list[str] | None = None) -> None:
    """Write pixels (H, W, 3) as a picture, enlarged so that small images can be seen; ``rows``: what stands beside each
    of its rows, which are of one height."""
    from PIL import Image, ImageDraw, ImageFont

    scale = max(1, 600 // page.shape[1])
    picture = Image.fromarray(page)
    picture = picture.resize((page.shape[1] * scale, page.shape[0] * scale), Image.Resampling.NEAREST)
    if rows:
        font = ImageFont.load_default(ROW_FONT)
        margin = math.ceil(max(font.getlength(row) for row in rows)) + ROW_FONT
        labelled = Image.new("RGB", (margin + picture.width, picture.height), "white")
        labelled.paste(picture, (margin, 0))
        for number, row in enumerate(rows):
            middle = (number + 0.5) * picture.height / len(rows)
            ImageDraw.Draw(labelled).text((margin - ROW_FONT / 2, middle), row, "black", font, anchor="rm")
        picture = labelled
    picture.save(path, format="PNG")


def generate_set(
    model: str,
    each: int,
    out: Path,
    drawing: Drawing,
    seed: int,
    on_images: Callable[[], None] = lambda: None,
    small: str | None = None,
    captions: Path | None = None,
) -> None:
    """Draw ``each`` images of every label, or of the captions of a set of images, into ``out``: made/, sheet.png and
    generate.json; whole or not at all. ``small``: the model of the pictures that this one enlarges."""
    painter = Painter(model, small)
    names = painter.names() if captions is None else Images.read(captions).names
    labels, began = torch.arange(len(names)).repeat(each), time.monotonic()
    images = painter.draw(names * each, drawing, torch.Generator().manual_seed(seed), on_images)
    seconds = time.monotonic() - began
    with new_folder(out) as place:
        pixels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        Images(pixels, labels.numpy(), names, model_name(model)).write(place / "made")
        shown = min(len(names), 20)  # columns of a sheet
        columns = [row * len(names) + column for row in range(min(each, 10)) for column in range(shown)]
        write_png(place / "sheet.png", sheet(images[columns], shown))
        facts = {"model": model_name(model), **_triple(painter.network), **model_facts(model)}
        write_json(
            place / "generate.json",
            {
                "facts": facts,
                "milliseconds_per_item": 1000 * seconds / len(labels),
                "drawing": vars(drawing),
                "seed": seed,
            },
        )


def score_set(folder: Path, test: Path, classifier: str, model: str, features: Path | None = None) -> dict:
    """Score generated images beside the test set, what its tokenizer leaves of that, and noise; writes report.json.

    ``features``: a TorchScript file by whose features the distances are measured, too.
    """
    network, judge = load_generator(model), load_judge(classifier)
    more = FeatureFile(features, "images") if features else None
    made, (first, real) = Images.read(folder / "made", "speechgen image generate-set"), read_halves(test)
    notes = read_json(folder / "generate.json")
    if made.pixels.shape[1:] != real.pixels.shape[1:]:
        raise UserError(f"{test}: images of another size than the generated ones; dump them at the model's size")
    if real.names != made.names:
        raise UserError(f"{test}: has other labels than the generated images")
    signals, answers = as_tensor(real), torch.from_numpy(real.labels)
    noise = torch.rand(signals.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    systems = {"test images": (signals, answers)}
    if isinstance(network, Generator):
        systems["test images through the tokenizer"] = (through_tokenizer(network, signals), answers)
    systems |= {"generated": (as_tensor(made), torch.from_numpy(made.labels)), "noise": (noise, answers)}
    reference, rows = features_of(judge, as_tensor(first)), []
    for name, (images, labels) in systems.items():
        seen = features_of(judge, images)
        accuracy = recognised(judge, images, labels, made.names, seen)
        distance = frechet_distance(seen, reference)
        rows.append({"name": name, "n": len(images), "accuracy": accuracy, "frechet": distance})
    report = {**notes, "source": str(test), "classifier": model_name(classifier), "what": "images", "judged": rows}
    if more:
        more.add_distances(report, systems, as_tensor(first))
    write_json(folder / "report.json", report)
    return report


def read_halves(folder: Path) -> tuple[Images, Images]:
    """Test images that distances are measured from, and those that are scored beside generated ones.

    Raises UserError for a folder without images, or with too few.
    """
    images = Images.read(folder)
    if len(images) < 4:
        raise UserError(f"{folder}: of {len(images)} images no distance can be measured; hold out 4 or more")
    return images.halves()


def write_image_results(path: Path, report: dict) -> None:
    """Write a report as RESULTS.md; the file appears complete or not at all."""
    facts = {
        "test data": short_path(report["source"]),
        **{str(key): str(value) for key, value in report["facts"].items()},
        "time per item": f"{report['milliseconds_per_item']:.1f} ms",
        "scored on": describe_machine(),
    }
    notes = [
        "Recognised by a model of its own, trained on the training images: a classifier that is to say the label, or a "
        "CLIP that is to find the caption among all of the test set. The Frechet distance is between its features of "
        "these images and of half of the test images, every other one of each label; the row 'test images' is the "
        "other half.",
    ]
    write_text(
        path,
        page("Image results", "speechgen image score", facts, [judged_table(report)], [*notes, *feature_notes(report)]),
    )


def load_judge(model: str | Path) -> ImageClassifier | Clip:
    """What judges images; raises UserError for a model of another kind."""
    judge = load(model)
    if not isinstance(judge, ImageClassifier | Clip):
        raise UserError(f"{model}: is no classifier of images and no CLIP")
    return judge


def _side(model: Generator | OneShot) -> int:
    return model.config.tokenizer.side if isinstance(model, Generator) else model.config.side


def _triple(model: Generator | OneShot) -> dict[str, str]:
    config = model.config
    if isinstance(model, OneShot):
        return {"unit": "the whole image", "order": "one shot"}
    return {"unit": config.tokenizer.kind, "order": config.order.kind, "head": config.head.kind}
