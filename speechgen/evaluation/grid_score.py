"""Scores of one cell of a grid: how near what it draws comes to held-out data, how readable and how varied it is, how
likely held-out data is to it, and what an item costs."""

import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from speechgen.data.images import Images
from speechgen.errors import UserError
from speechgen.evaluation.distances import frechet_distance
from speechgen.evaluation.images import features_of, load_judge, read_correctly
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.generator import Generator
from speechgen.orders.base import FROM_THE_LEFT
from speechgen.training.images import AT_ONCE, as_tensor

SEED = 0
WITH_LIKELIHOOD = ("categorical", "depth", "gaussian")  # heads whose loss is a likelihood


@dataclass
class Score:
    """``frechet``: distance of features from held-out data; ``accuracy``: share read as what was asked for;
    ``variety``: spread of features within a label, relative to held-out data (0: all alike). ``milliseconds`` per
    item, drawn ``AT_ONCE`` together. ``bits`` of a held-out item, where the cell says a likelihood."""

    n: int
    frechet: float
    accuracy: float
    variety: float
    milliseconds: float | None = None
    bits: float | None = None


class Test:
    """Held-out signals in two halves: what distances are measured from, and what a perfect model would draw."""

    __test__ = False  # of pytest's business

    def __init__(self, folder: Path, judge: str | Path) -> None:
        """Raises UserError for a folder without images, or with too few."""
        images = Images.read(folder)
        self.names, self.judge = images.names, load_judge(judge)
        half = len(images) // 2
        if half < 2:
            raise UserError(f"{folder}: of {len(images)} items no distance can be measured; hold out 4 or more")
        signals, labels = as_tensor(images), torch.from_numpy(images.labels)
        self.reference = features_of(self.judge, signals[:half])
        self.signals, self.labels = signals[half:], labels[half:]
        self._spread = spread(self.reference, labels[:half])
        digest = hashlib.sha256(images.pixels.tobytes())
        for weight in self.judge.state_dict().values():
            digest.update(weight.numpy().tobytes())
        self.fingerprint = digest.hexdigest()[:12]

    def score(self, signals: Tensor, labels: Tensor) -> Score:
        """Of signals (N, ...) that shall be labels (N,)."""
        features = features_of(self.judge, signals)
        accuracy = read_correctly(self.judge, signals, labels, self.names, features)
        variety = spread(features, labels) / self._spread
        return Score(len(signals), frechet_distance(features, self.reference), accuracy, variety)

    def ceiling(self) -> Score:
        """Of held-out signals themselves."""
        return self.score(self.signals, self.labels)


def spread(features: Tensor, labels: Tensor) -> float:
    """Mean variance of features (N, D) around the mean of their label (N,)."""
    apart = [features[labels == label] for label in labels.unique()]
    return torch.stack([(own - own.mean(0)).square().sum(1).mean() for own in apart]).mean().item()


def score_drawing(model: nn.Module, drawing: Drawing, each: int, test: Test, likelihood: bool = False) -> Score:
    """Draw ``each`` items of every label and score them; raises UserError for a model of other labels."""
    if model.config.labels != test.names:
        raise UserError("the test data has other labels than the cells were trained on")
    labels, made, generator = torch.arange(len(test.names)).repeat(each), [], torch.Generator().manual_seed(SEED)
    began = time.monotonic()
    for part in labels.split(AT_ONCE):
        made.append(draw_images(model, part, drawing, generator))
    seconds = time.monotonic() - began
    score = test.score(torch.cat(made), labels)
    score.milliseconds = 1000 * seconds / len(labels)
    if likelihood:
        score.bits = held_out_bits(model, test.signals, test.labels)
    return score


def score_untrained(model: Generator, drawing: Drawing, each: int, test: Test) -> Score:
    """The score of the same model, with its tokenizer, before any training."""
    torch.manual_seed(SEED)
    fresh = Generator(model.config).eval()
    fresh.tokenizer.load_state_dict(model.tokenizer.state_dict())
    fresh.mean.copy_(model.mean)
    fresh.deviation.copy_(model.deviation)
    return score_drawing(fresh, drawing, each, test)


@torch.no_grad()
def score_ceiling(model: Generator, test: Test) -> Score:
    """The score of held-out signals that went through the tokenizer: what no head can exceed."""
    coded = [model.images_of(model.units_of(part)) for part in test.signals.split(AT_ONCE)]
    return test.score(torch.cat(coded), test.labels)


@torch.no_grad()
def held_out_bits(model: Generator, signals: Tensor, labels: Tensor) -> float | None:
    """Bits of the units of a held-out signal: exact where each unit is drawn from a known distribution given those
    before it, else None. Of latents it is a density, so that only cells of one tokenizer compare."""
    order, head = model.config.order.kind, model.config.head.kind
    if head not in WITH_LIKELIHOOD or order not in (*FROM_THE_LEFT, "next_scale"):
        return None
    generator, nats = torch.Generator().manual_seed(SEED), 0.0
    for part, told in zip(signals.split(AT_ONCE), labels.split(AT_ONCE), strict=True):
        units = model.units_of(part)
        numbers = units[0].numel()
        nats += model.losses(units, told, generator).item() * numbers * len(part)
    bits = nats / len(signals) / math.log(2)
    if not model.tokenizer.codebooks:  # the loss is that of scaled latents
        bits += model.deviation.log2().sum().item() * units.shape[2]
    return bits
