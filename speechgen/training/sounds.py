"""How the models of sounds are trained: the generator on a codec's latents, the classifier on recordings."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from speechgen.audio.lengths import fitted
from speechgen.config import Config
from speechgen.data.shards import Example
from speechgen.data.sound_units import SoundUnits
from speechgen.errors import UserError
from speechgen.models.classifier import SoundClassifier
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.generator import Generator
from speechgen.training.images import AT_ONCE, ClassifierTraining, ImageBatch, ImageTraining
from speechgen.training.loop import Shown


class SoundTask(Config):
    """``batch`` sounds a step. ``unknown``: share of sounds whose label a generator is not told, which guidance needs.
    Evaluation hears ``dev_sounds`` sounds, and draws ``shown`` (0: none)."""

    batch: int = Field(32, ge=1)
    unknown: float = Field(0.1, ge=0, le=1)
    dev_sounds: int = Field(500, ge=1)
    shown: int = Field(4, ge=0)


class SoundClassifierTask(SoundTask):
    """``label``: what a sound is called, its text or a label. ``shift``: most seconds by which it is moved."""

    label: str = "text"
    shift: float = Field(0.1, ge=0)


@dataclass
class SoundBatch:
    """A generator's units (B, K | D, S), their labels (B,), and how many units sound, ``lengths`` (B,)."""

    values: Tensor
    labels: Tensor
    lengths: Tensor

    def to(self, device) -> "SoundBatch":
        return SoundBatch(self.values.to(device), self.labels.to(device), self.lengths.to(device))


@dataclass(frozen=True)
class LabelledWaves:
    """Recordings at one length and rate: ``waves`` (N, 1, samples) in [-1, 1], ``labels`` (N,), numbers of names."""

    waves: Tensor
    labels: np.ndarray


def labelled_waves(examples: list[Example], labels: list[str], names: list[str], samples: int) -> LabelledWaves:
    """Recordings of known labels; the others are left out. Raises UserError when none is left."""
    known = [(example, label) for example, label in zip(examples, labels, strict=True) if label in names]
    if not known:
        raise UserError(f"no recording has one of the labels {', '.join(names)}")
    waves = [torch.from_numpy(one.audio.astype(np.float32) / 32768) for one, _ in known]
    fit = [fitted(wave, one.sample_rate, samples) for wave, (one, _) in zip(waves, known, strict=True)]
    numbers = np.array([names.index(label) for _, label in known], np.int64)
    return LabelledWaves(torch.stack(fit).unsqueeze(1), numbers)


class SoundTraining(ImageTraining):
    """Batches and rows as of images."""

    def __init__(self, model: nn.Module, task: SoundTask, train: Tensor, dev: Tensor, labels, seed: int) -> None:
        """``train`` and ``dev``: what the model is shown (N, ...); ``labels`` of both, arrays (N,)."""
        self.players: dict[str, nn.Module] = {self.name: model}
        self.model, self.task, self.seed = model, task, seed
        self.train, self.dev = train, dev[: task.dev_sounds]
        self.labels, self.dev_labels = (torch.from_numpy(one) for one in labels)
        self.dev_labels = self.dev_labels[: task.dev_sounds]


class SoundGeneratorTraining(SoundTraining):
    """The latents were made by the dump; units of them are made once, before the first step."""

    name = "sound"
    model: Generator

    def __init__(self, model: Generator, task: SoundTask, train: SoundUnits, dev: SoundUnits, seed: int = 0) -> None:
        model.tokenizer.eval()
        patch = model.tokenizer.config.patch
        self.lengths, self.dev_lengths = (torch.from_numpy(-(-data.frames // patch)) for data in (train, dev))
        sets = (self._units(model, data) for data in (train, dev))
        super().__init__(model, task, *sets, (train.labels, dev.labels), seed)
        model.measure(self.train)
        self.sample_rate, self.predicts = model.tokenizer.codec.sample_rate, hasattr(model, "length")

    def batch(self, step: int, rank: int, ranks: int) -> SoundBatch:
        rows = self._rows(step)[rank::ranks]
        told = torch.from_numpy(np.random.default_rng([self.seed, step, 1 + rank]).random(len(rows)))
        labels = self.labels[rows].masked_fill(told < self.task.unknown, len(self.model.config.labels))
        return SoundBatch(self.train[rows], labels, self.lengths[rows])

    def losses(self, player, batch: SoundBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        lengths = batch.lengths if self.predicts else None
        loss = self.model.losses(batch.values, batch.labels, generator, lengths=lengths)
        return loss, {"unit": loss.item()}

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """The loss on held-out sounds, and sounds of some labels."""
        model, device = models[self.name].eval(), generator.device
        draw = torch.Generator(device).manual_seed(self.seed)
        losses = []
        for rows in torch.arange(len(self.dev)).split(AT_ONCE):
            lengths = self.dev_lengths[rows].to(device) if self.predicts else None
            units, labels = self.dev[rows].to(device), self.dev_labels[rows].to(device)
            losses.append(model.losses(units, labels, draw, lengths=lengths))
        shown = Shown({"unit": torch.stack(losses).mean().item()})
        if self.task.shown:
            names = model.config.labels
            labels = torch.arange(self.task.shown, device=device) % max(1, len(names))
            waves = draw_images(model, labels, Drawing(), draw).squeeze(1).cpu()
            for number, wave in zip(labels.tolist(), waves, strict=True):
                shown.audio[names[number] if names else "generated"] = (wave, self.sample_rate)
        return shown

    @staticmethod
    @torch.no_grad()
    def _units(model: Generator, data: SoundUnits) -> Tensor:
        parts = torch.from_numpy(data.latents).split(AT_ONCE)
        return torch.cat([model.tokenizer.units_of_latents(part.float()).values for part in parts])


class SoundClassifierTraining(SoundTraining, ClassifierTraining):
    """Recordings are moved and made louder or softer at random, so that a few of them say more."""

    name = "sound-classifier"
    model: SoundClassifier

    def __init__(
        self, model: SoundClassifier, task: SoundClassifierTask, train: LabelledWaves, dev: LabelledWaves, seed: int = 0
    ) -> None:
        super().__init__(model, task, train.waves, dev.waves, (train.labels, dev.labels), seed)

    def batch(self, step: int, rank: int, ranks: int) -> ImageBatch:
        batch = super().batch(step, rank, ranks)
        random = np.random.default_rng([self.seed, step, 1 + rank])
        most = round(self.task.shift * self.model.config.sample_rate)
        shifts = random.integers(-most, most + 1, len(batch.values))
        waves = [wave.roll(int(shift), -1) for wave, shift in zip(batch.values, shifts, strict=True)]
        gains = torch.from_numpy(random.uniform(0.5, 1.25, (len(waves), 1, 1))).float()
        return ImageBatch(torch.stack(waves) * gains, batch.labels)
