"""How the models of images are trained: codec, classifier and generator, each a task with one player."""

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
from speechgen.tokenizers.images import ImageCodec
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
    """Images (B, C, H, W) in [-1, 1], or a generator's units (B, K | D, S), and labels (B,)."""

    values: Tensor
    labels: Tensor

    def to(self, device) -> "ImageBatch":
        return ImageBatch(self.values.to(device), self.labels.to(device))


class ImageTraining:
    """What the three have in common: one player, and batches that are a pure function of the step."""

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


class ImageCodecTraining(ImageTraining):
    name = "image-codec"
    model: ImageCodec

    def losses(self, player, batch: ImageBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        return self.model.losses(batch.values, generator)

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """How near decoded images are to the originals, and some of both."""
        codec = models[self.name].eval()
        images = self.dev.to(generator.device)
        again = torch.cat([codec.decode(codec.encode(part)) for part in images.split(AT_ONCE)])
        shown = images[: self.task.shown], again[: self.task.shown]
        pictures = {"recorded_and_decoded": sheet(torch.cat(shown), max(1, self.task.shown))} if self.task.shown else {}
        return Shown({"squared": F.mse_loss(again, images).item()}, pictures=pictures)


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
        model.tokenizer.eval()
        self.train, self.dev = (
            torch.cat([model.units_of(part) for part in images.split(AT_ONCE)]) for images in (self.train, self.dev)
        )
        model.measure(self.train)

    def batch(self, step: int, rank: int, ranks: int) -> ImageBatch:
        batch = super().batch(step, rank, ranks)
        told = torch.from_numpy(np.random.default_rng([self.seed, step, 1 + rank]).random(len(batch.labels)))
        return ImageBatch(batch.values, batch.labels.masked_fill(told < self.task.unknown, self._nothing))

    def losses(self, player, batch: ImageBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        loss = self.model.losses(batch.values, batch.labels, generator)
        return loss, {"unit": loss.item()}

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """The head's loss on held-out images, and images of each label in turn."""
        model, device = models[self.name].eval(), generator.device
        draw = torch.Generator(device).manual_seed(self.seed)
        parts = zip(self.dev.split(AT_ONCE), self.dev_labels.split(AT_ONCE), strict=True)
        losses = [model.losses(units.to(device), labels.to(device), draw) for units, labels in parts]
        shown = Shown({"unit": torch.stack(losses).mean().item()})
        if self.task.shown:
            labels = torch.arange(self.task.shown, device=device) % max(1, self._nothing)
            shown.pictures["generated"] = sheet(draw_images(model, labels, Drawing(), draw), 10)
        return shown

    @property
    def _nothing(self) -> int:
        return len(self.model.config.labels)


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
