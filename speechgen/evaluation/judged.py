"""What a classifier says of generated and real signals: the share of them recognised as what they shall be, and the
Frechet distance of its features (Heusel et al. 2017; of sounds Kilgour et al. 2019). It must not know the generator."""

from pathlib import Path

import torch
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.evaluation.coding import model_name
from speechgen.evaluation.distances import frechet_distance
from speechgen.evaluation.facts import model_facts
from speechgen.evaluation.logs import write_json, write_text
from speechgen.evaluation.machine import describe_machine
from speechgen.evaluation.results import page, short_path, table
from speechgen.models.classifier import Classifier, GridClassifier
from speechgen.models.clip import Clip
from speechgen.models.draw import Drawing
from speechgen.models.generator import Generator
from speechgen.models.load import load
from speechgen.training.images import AT_ONCE

RECOGNISED, FRECHET = "recognised, %", "Frechet distance"


def load_grid_generator(model: str | Path, kind: str) -> Generator:
    """A generator of images, sounds or clips by name or folder; raises UserError for a model of another kind."""
    return as_grid_generator(load(model), model, kind)


def as_grid_generator(loaded: nn.Module, model: str | Path, kind: str) -> Generator:
    """What was loaded from ``model``, if it generates ``kind`` unit by unit; raises UserError for anything else."""
    if not isinstance(loaded, Generator) or loaded.config.kind != kind:
        raise UserError(f"{model}: is no generator of {kind}s; a run of kind: {kind} or its packed folder is")
    return loaded


def load_judge(classifier: str | Path, wanted: type[GridClassifier], names: list[str] | None = None) -> Classifier:
    """A classifier, that knows these labels where some are given; raises UserError for another model."""
    judge = load(classifier)
    if not isinstance(judge, wanted):
        raise UserError(f"{classifier}: is no classifier of such signals")
    if names is not None and judge.config.labels != names:
        raise UserError(f"{classifier}: knows other labels than were generated")
    return judge


def generation_notes(model: str, network: Generator, drawing: Drawing, seed: int, seconds: float, count: int) -> dict:
    """What generate.json says of ``count`` signals made in so many seconds."""
    config = network.config
    unit = getattr(config.tokenizer, "unit", config.tokenizer.kind)
    triple = {"unit": unit, "order": config.order.kind, "head": config.head.kind}
    return {
        "facts": {"model": model_name(model), **triple, **model_facts(model)},
        "milliseconds_per_item": 1000 * seconds / count,
        "drawing": vars(drawing),
        "seed": seed,
    }


@torch.no_grad()
def judge_all(judge: GridClassifier, systems: dict[str, tuple[Tensor, Tensor]], reference: Tensor) -> list[dict]:
    """Judge each system's signals (N, ...), which shall be labels (N,); ``reference`` (M, ...): real ones."""
    real, rows = features_of(judge, reference), []
    for name, (signals, labels) in systems.items():
        features = features_of(judge, signals)
        accuracy = recognised(judge, signals, labels, judge.config.labels, features)
        rows.append(
            {"name": name, "n": len(signals), "accuracy": accuracy, "frechet": frechet_distance(features, real)}
        )
    return rows


def judged_table(report: dict) -> str:
    """Each system with its size, the share recognised and its Frechet distance, also by a network of the user's."""
    file = report.get("features")
    rows = [
        [one["name"], str(one["n"]), f"{100 * one['accuracy']:.1f}", f"{one['frechet']:.2f}"]
        + ([f"{one['frechet_by_file']:.2f}"] if file else [])
        for one in report["judged"]
    ]
    return table([report["what"], "n", RECOGNISED, FRECHET] + [f"{FRECHET} by {file}"] * bool(file), rows)


def feature_notes(report: dict) -> list[str]:
    """What the column of a network of the user's means, if there is one."""
    if not report.get("features"):
        return []
    each = "each frame of a sound, or each sound where it has no frames" if report["what"] == "sounds" else "each item"
    return [
        f"The last column is the Frechet distance between the same sets by the features of {report['features']}, a "
        f"network that was given from outside; {each} is an observation."
    ]


def write_judged(folder: Path, report: dict, results: Path | None, title: str, verb: str) -> None:
    """Write report.json into the folder and, if asked, RESULTS.md; files appear complete or not at all."""
    write_json(folder / "report.json", report)
    if results is None:
        return
    facts = {
        "test data": short_path(report["source"]),
        **{str(key): str(value) for key, value in report["facts"].items()},
        "time per item": f"{report['milliseconds_per_item']:.1f} ms",
        "scored on": describe_machine(),
    }
    note = (
        "Recognised by a classifier of its own, trained on the training data and knowing no tokenizer. The Frechet "
        "distance is between its features and those of the training data."
    )
    write_text(results, page(title, verb, facts, [judged_table(report)], [note, *feature_notes(report)]))


@torch.no_grad()
def features_of(judge: GridClassifier | Clip, signals: Tensor) -> Tensor:
    """What a judge sees or hears in signals (N, ...): (N, features)."""
    return torch.cat([judge.features(part) for part in signals.split(AT_ONCE)])


@torch.no_grad()
def recognised(
    judge: GridClassifier | Clip, signals: Tensor, labels: Tensor, names: list[str], features: Tensor
) -> float:
    """The share of signals whose label (N,), a number of names, a classifier says, or whose caption a CLIP finds among
    them all. Raises UserError for a judge that knows other labels."""
    if isinstance(judge, Clip):
        said = torch.cat([judge.scores(part, names) for part in signals.split(AT_ONCE)]).argmax(-1)
    elif judge.config.labels == names:
        said = judge.output(features).argmax(-1)
    else:
        raise UserError("the classifier knows other labels than the test data has")
    return (said == labels).float().mean().item()


@torch.no_grad()
def through_tokenizer(network: Generator, signals: Tensor, at_once: int = AT_ONCE) -> Tensor:
    """What a generator's tokenizer leaves of real signals (N, ...)."""
    return torch.cat([network.images_of(network.units_of(part)) for part in signals.split(at_once)])
