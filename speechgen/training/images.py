"""How models of images are trained: what their tasks have in common, the classifier and the generator."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.data.images import Images
from speechgen.models.classifier import ImageClassifier
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.generator import Generator
from speechgen.training.loop import Shown

AT_ONCE = 250  # images that an evaluation looks at together


class ImageTask(Config):
    """``batch`` images a step. ``unknown``: share of images whose label a generator is not told, which guidance needs.
    Evaluation looks at ``dev_images``, and draws ``shown`` images (0: none)."""

    batch: int = Field(64, ge=1)
    unknown: float = Field(0.1, ge=0, le=1)
    dev_images: int = Field(500, ge=1)
    shown: int = Field(20, ge=0)


@dataclass
class ImageBatch:
    """Images (B, C, H, W) in [-1, 1], or a generator's units (B, K | D, S), and labels (B,) or words (B, W); the small
    pictures (B, C, s, s) of those that are to be enlarged."""

    values: Tensor
    labels: Tensor
    small: Tensor | None = None

    def to(self, device) -> "ImageBatch":
        small = None if self.small is None else self.small.to(device)
        return ImageBatch(self.values.to(device), self.labels.to(device), small)


class ImageTraining:
    """One player, and batches that are a pure function of the step."""

    name = ""
    sample_rate = 1  # images have none

    def __init__(self, model: nn.Module, task: ImageTask, train: Images, dev: Images, seed: int = 0) -> None:
        self.players: dict[str, nn.Module] = {self.name: model}
        self.model, self.task, self.seed = model, task, seed
        self.train, self.labels = as_tensor(train), torch.from_numpy(train.labels)
        self.dev, self.dev_labels = (x[: task.dev_images] for x in (as_tensor(dev), torch.from_numpy(dev.labels)))

    def turns(self, step: int) -> list[str]:
        return [self.name]

    def batch(self, step: int, rank: int, ranks: int) -> ImageBatch:
        """Images in an order that is new in each pass."""
        rows = self._rows(step)[rank::ranks]
        return ImageBatch(self.train[rows], self.labels[rows])

    def _rows(self, step: int) -> Tensor:
        steps = max(1, len(self.train) // self.task.batch)
        order = np.random.default_rng([self.seed, step // steps]).permutation(len(self.train))
        first = step % steps * self.task.batch
        return torch.from_numpy(order[first : first + self.task.batch])

    def state(self) -> dict:
        return {}

    def load_state(self, state: dict) -> None:
        pass


class ClassifierTraining(ImageTraining):
    name = "image-classifier"
    model: ImageClassifier

    def losses(self, player, batch: ImageBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        logits = self.model(batch.values)
        accuracy = (logits.argmax(-1) == batch.labels).float().mean().item()
        return F.cross_entropy(logits.float(), batch.labels), {"accuracy": accuracy}

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        classifier = models[self.name].eval()
        images = self.dev.to(generator.device)
        said = torch.cat([classifier(part).argmax(-1) for part in images.split(AT_ONCE)]).cpu()
        return Shown({"accuracy": (said == self.dev_labels).float().mean().item()})


class GeneratorTraining(ImageTraining):
    """The units are made once, before the first step."""

    name = "image"
    model: Generator

    def __init__(self, model: Generator, task: ImageTask, train: Images, dev: Images, seed: int = 0) -> None:
        super().__init__(model, task, train, dev, seed)
        self.labels, self.dev_labels = told(model, train)[self.labels], told(model, dev)[self.dev_labels]
        model.tokenizer.eval()
        side = model.config.small
        self.small, self.dev_small = (
            F.adaptive_avg_pool2d(images, side) if side else None for images in (self.train, self.dev)
        )
        self.train, self.dev = (
            torch.cat([model.units_of(part) for part in images.split(AT_ONCE)]) for images in (self.train, self.dev)
        )
        model.measure(self.train)

    def batch(self, step: int, rank: int, ranks: int) -> ImageBatch:
        rows = self._rows(step)[rank::ranks]
        labels = withheld(self.labels[rows], self.task.unknown, self.model.nothing, [self.seed, step, 1 + rank])
        return ImageBatch(self.train[rows], labels, None if self.small is None else self.small[rows])

    def losses(self, player, batch: ImageBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        loss = self.model.losses(batch.values, batch.labels, generator, batch.small)
        return loss, {"unit": loss.item()}

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """The head's loss on held-out images, and images of what is in some of them."""
        model, device = models[self.name].eval(), generator.device
        draw, losses = torch.Generator(device).manual_seed(self.seed), []
        for rows in torch.arange(len(self.dev)).split(AT_ONCE):
            small = None if self.dev_small is None else self.dev_small[rows].to(device)
            losses.append(model.losses(self.dev[rows].to(device), self.dev_labels[rows].to(device), draw, small))
        shown, count = Shown({"unit": torch.stack(losses).mean().item()}), self.task.shown
        if count:
            small = None if self.dev_small is None else self.dev_small[:count].to(device)
            images = draw_images(model, self.dev_labels[:count].to(device), Drawing(), draw, small)
            shown.pictures["generated"] = sheet(images, 10)
        return shown


def told(model: nn.Module, images: Images) -> Tensor:
    """What a model is told of each name of a set: (names,) or (names, words). Raises UserError for an unknown one."""
    return model.label_ids(images.names)


def withheld(labels: Tensor, share: float, nothing: int, seed: list[int]) -> Tensor:
    """Labels (B,) or words (B, W), of which a share is not told, so that guidance can leave them out."""
    chance = torch.from_numpy(np.random.default_rng(seed).random(len(labels)))
    return labels.masked_fill((chance < share).view(-1, *[1] * (labels.ndim - 1)), nothing)


def as_tensor(images: Images) -> Tensor:
    """(N, C, H, W) in [-1, 1]; of clips (N, C, T, H, W)."""
    return torch.from_numpy(images.pixels).movedim(-1, 1).float() / 127.5 - 1


def sheet(images: Tensor, columns: int) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] side by side, a pixel apart: uint8 (H', W', 3). Clips (N, C, T, H, W) have a row
    each, whatever ``columns`` is."""
    if images.dim() == 5:
        columns = images.shape[2]
        images = images.transpose(1, 2).flatten(0, 1)
    count, _, height, width = images.shape
    rows = -(-count // columns)
    page = np.zeros((rows * (height + 1) - 1, columns * (width + 1) - 1, 3), np.uint8)
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().permute(0, 2, 3, 1).numpy()
    for index, image in enumerate(pixels):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        page[top : top + height, left : left + width] = image
    return page
