"""Scores of one cell of a grid: how near what it draws comes to held-out data, how readable and how varied it is, how
likely held-out data is to it, and what an item costs."""

import math
import time

import torch
from torch import Tensor

from speechgen.evaluation.held_out import HeldOut, Score
from speechgen.evaluation.judged import through_tokenizer
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.generator import Generator
from speechgen.orders.base import FROM_THE_LEFT
from speechgen.training.images import AT_ONCE

SEED = 0
WITH_LIKELIHOOD = ("categorical", "depth", "gaussian")  # heads whose loss is a likelihood


def score_drawing(model: Generator, drawing: Drawing, each: int, test: HeldOut, likelihood: bool = False) -> Score:
    """Draw ``each`` items of every label and score them; raises UserError for a model of other labels."""
    test.check(model)
    labels, made, generator = torch.arange(len(test.names)).repeat(each), [], torch.Generator().manual_seed(SEED)
    began = time.monotonic()
    for part in labels.split(AT_ONCE):
        made.append(draw_images(model, part, drawing, generator))
    seconds = time.monotonic() - began
    score = test.score(torch.cat(made), labels)
    score.milliseconds = 1000 * seconds / len(labels)
    if likelihood:
        score.bits = held_out_bits(model, test.for_model(model), test.labels)
    return score


def score_untrained(model: Generator, drawing: Drawing, each: int, test: HeldOut) -> Score:
    """The score of the same model, with its tokenizer, before any training."""
    torch.manual_seed(SEED)
    fresh = Generator(model.config).eval()
    fresh.tokenizer.load_state_dict(model.tokenizer.state_dict())
    fresh.mean.copy_(model.mean)
    fresh.deviation.copy_(model.deviation)
    return score_drawing(fresh, drawing, each, test)


def score_ceiling(model: Generator, test: HeldOut) -> Score:
    """The score of held-out signals that went through the tokenizer: as faithful as its units can be."""
    return test.score(through_tokenizer(model, test.for_model(model)), test.labels)


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
