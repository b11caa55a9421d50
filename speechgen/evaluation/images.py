"""How good generated images are: whether a classifier reads the label that was asked for, and the Frechet distance of
its features from those of held-out images (Heusel et al. 2017; their Inception network has not seen digits)."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.data.folders import new_folder
from speechgen.data.images import Images
from speechgen.errors import UserError
from speechgen.evaluation.coding import model_name
from speechgen.evaluation.distances import frechet_distance
from speechgen.evaluation.facts import model_facts
from speechgen.evaluation.logs import read_json, write_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.results import page, short_path, table
from speechgen.models.classifier import ImageClassifier
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.generator import Generator
from speechgen.models.load import load
from speechgen.training.images import AT_ONCE, as_tensor, sheet

ACCURACY, FRECHET = "read correctly, %", "Frechet distance"


def load_generator(model: str | Path) -> Generator:
    """A generator by name or folder; raises UserError for a model of another kind."""
    loaded = load(model)
    if not isinstance(loaded, Generator):
        raise UserError(f"{model}: is no generator of images; a run of kind: image or its packed folder is")
    return loaded


def write_png(path: Path, page: np.ndarray) -> None:
    """Write pixels (H, W, 3) as a picture, enlarged so that small images can be seen."""
    from PIL import Image

    scale = max(1, 600 // page.shape[1])
    picture = Image.fromarray(page)
    picture.resize((page.shape[1] * scale, page.shape[0] * scale), Image.Resampling.NEAREST).save(path, format="PNG")


def generate_set(model: str, each: int, out: Path, drawing: Drawing, seed: int, on_images=lambda: None) -> None:
    """Draw ``each`` images of every label into ``out``: made/, sheet.png and generate.json; whole or not at all."""
    network = load_generator(model)
    generator = torch.Generator().manual_seed(seed)
    names = network.config.labels
    labels = torch.arange(len(names)).repeat(each)
    made, began = [], time.monotonic()
    for part in labels.split(AT_ONCE):
        made.append(draw_images(network, part, drawing, generator))
        on_images()
    seconds = time.monotonic() - began
    images = torch.cat(made)
    with new_folder(out) as place:
        pixels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        Images(pixels, labels.numpy(), names, model_name(model)).write(place / "made")
        write_png(place / "sheet.png", sheet(images[: 10 * len(names)], len(names)))
        config = network.config
        triple = {"unit": config.tokenizer.kind, "order": config.order.kind, "head": config.head.kind}
        facts = {"model": model_name(model), **triple, **model_facts(model)}
        write_json(
            place / "generate.json",
            {
                "facts": facts,
                "milliseconds_per_image": 1000 * seconds / len(labels),
                "drawing": vars(drawing),
                "seed": seed,
            },
        )


def score_set(folder: Path, test: Path, classifier: str, model: str) -> dict:
    """Score generated images beside the test set, what its tokenizer leaves of that, and noise; writes report.json."""
    judge = load(classifier)
    if not isinstance(judge, ImageClassifier):
        raise UserError(f"{classifier}: is no classifier of images")
    made, real = Images.read(folder / "made"), Images.read(test)
    notes = read_json(folder / "generate.json")
    network = load_generator(model)
    if made.pixels.shape[1:] != real.pixels.shape[1:]:
        raise UserError(f"{test}: images of another size than the generated ones; dump them at the model's size")
    if judge.config.labels != made.names or real.names != made.names:
        raise UserError(f"{classifier}: knows other labels than the images have")
    half = len(real) // 2
    halves, answers = as_tensor(real).split([half, len(real) - half]), torch.from_numpy(real.labels)
    reference = _features(judge, halves[0])[0]
    coded = torch.cat([network.images_of(network.units_of(part)) for part in halves[1].split(AT_ONCE)])
    noise = torch.rand(halves[1].shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    systems = {
        "test images": (halves[1], answers[half:]),
        "test images through the tokenizer": (coded, answers[half:]),
        "generated": (as_tensor(made), torch.from_numpy(made.labels)),
        "noise": (noise, answers[half:]),
    }
    rows = []
    for name, (images, labels) in systems.items():
        features, said = _features(judge, images)
        accuracy = (said == labels).float().mean().item()
        rows.append(
            {"name": name, "n": len(images), "accuracy": accuracy, "frechet": frechet_distance(features, reference)}
        )
    report = {**notes, "source": str(test), "classifier": model_name(classifier), "images": rows}
    write_json(folder / "report.json", report)
    return report


def images_table(report: dict) -> str:
    """Each set of images with its size, the share read correctly and its Frechet distance from half the test set."""
    rows = [
        [one["name"], str(one["n"]), f"{100 * one['accuracy']:.1f}", f"{one['frechet']:.2f}"]
        for one in report["images"]
    ]
    return table(["images", "n", ACCURACY, FRECHET], rows)


def write_image_results(path: Path, report: dict) -> None:
    """Write a report as RESULTS.md; the file appears complete or not at all."""
    facts = {
        "test data": short_path(report["source"]),
        **{str(key): str(value) for key, value in report["facts"].items()},
        "time per image": f"{report['milliseconds_per_image']:.1f} ms",
        "scored on": describe_machine(),
    }
    notes = [
        "Read by a classifier of its own, trained on the training images. The Frechet distance is between its features "
        "of these images and of the first half of the test images; the row 'test images' is the other half.",
    ]
    write_text(path, page("Image results", "speechgen image score", facts, [images_table(report)], notes))


@torch.no_grad()
def _features(judge: ImageClassifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, D) and what the classifier reads (N,)."""
    features = torch.cat([judge.features(part) for part in images.split(AT_ONCE)])
    return features, judge.output(features).argmax(-1)
