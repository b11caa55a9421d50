"""How a WaveNet is trained: cross-entropy of each sample given all before it, on excerpts of recordings.

An excerpt from the middle of a recording begins with one receptive field of context, which is heard but not scored,
so that the model never has to guess from a past that it cannot see. Long excerpts waste little on that.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from speechgen.audio.pictures import spectrogram_pair
from speechgen.config import Config
from speechgen.data.labels import chosen_labels
from speechgen.data.shards import Example
from speechgen.models.wavenet import WaveNet, WaveNetConfig
from speechgen.models.wavenet_generate import generate
from speechgen.training.loop import Shown

LEAST_DRAWN = 0.1  # seconds that a spectrogram needs
SILENT = math.log(1e-5)  # a band of a log-mel frame in which there is nothing


class WaveNetTask(Config):
    """``batch`` excerpts of ``seconds`` scored seconds each. ``unknown``: share of excerpts whose labels are withheld,
    so that the model can do without. Evaluation scores the first ``dev_seconds`` of each of ``dev_recordings``, and
    generates ``shown_seconds`` to listen to (0: nothing)."""

    batch: int = Field(2, ge=1)
    seconds: float = Field(1.0, gt=0)
    unknown: float = Field(0.05, ge=0, le=1)
    dev_recordings: int = Field(16, ge=1)
    dev_seconds: float = Field(2.0, gt=0)
    shown_seconds: float = Field(2.0, ge=0)


@dataclass
class WaveNetBatch:
    """Waves (B, T), which of their samples to score (B, T), labels {kind: (B,)}, log-mel frames (B, bands, F), and the
    seconds since each recording began (B, F)."""

    waves: Tensor
    scored: Tensor
    labels: dict[str, Tensor]
    mel: Tensor | None
    times: Tensor | None = None

    def to(self, device) -> "WaveNetBatch":
        labels = {kind: ids.to(device) for kind, ids in self.labels.items()}
        mel = None if self.mel is None else self.mel.to(device)
        times = None if self.times is None else self.times.to(device)
        return WaveNetBatch(self.waves.to(device), self.scored.to(device), labels, mel, times)


class Excerpts:
    """Where the excerpts of batch ``step`` lie: a pure function of the step.

    ``samples`` of an excerpt are scored, after ``context`` samples of its past, or from the recording's first one on
    where that is nearer. Excerpts begin at multiples of ``align`` samples. Every sample is scored about equally often.
    """

    def __init__(self, lengths: list[int], samples: int, context: int, align: int, batch: int, seed: int = 0):
        self.lengths, self.samples, self.context, self.align = lengths, samples, context, align
        self.batch, self.seed = batch, seed
        self.ends = np.cumsum(lengths)
        self.size = -(-(context + samples) // align) * align + align

    def places(self, step: int) -> list[tuple[int, int, int]]:
        """(recording, its first sample in the excerpt, how many samples of context that are not scored)."""
        draw = np.random.default_rng([self.seed, step])
        return [self._place(draw) for _ in range(self.batch)]

    def _place(self, draw: np.random.Generator) -> tuple[int, int, int]:
        number = int(draw.integers(self.ends[-1]))
        recording = int(np.searchsorted(self.ends, number, side="right"))
        length = self.lengths[recording]
        within = number - int(self.ends[recording]) + length
        first = min(max(0, within - int(draw.integers(self.samples))), max(0, length - self.samples))
        begin = max(0, first - self.context) // self.align * self.align
        return recording, begin, first - begin if begin else 0


class WaveNetTraining:
    """The WaveNet as the loop sees it: one player, one loss."""

    def __init__(self, model: WaveNet, task: WaveNetTask, train: list[Example], dev: list[Example], seed: int = 0):
        self.players: dict[str, nn.Module] = {"wavenet": model}
        self.model, self.task, self.train = model, task, train
        self.dev = dev[:: max(1, len(dev) // task.dev_recordings)][: task.dev_recordings]
        self.sample_rate = model.config.sample_rate
        samples = max(1, round(task.seconds * self.sample_rate))
        lengths = [len(example.audio) for example in train]
        self.excerpts = Excerpts(lengths, samples, model.receptive_field, model.condition.hold, task.batch, seed)
        self.seed = seed
        for example in dev:
            self._labels(example)  # what was never heard in training is told now, not after an hour

    def turns(self, step: int) -> list[str]:
        return ["wavenet"]

    def batch(self, step: int, rank: int, ranks: int) -> WaveNetBatch:
        places = self.excerpts.places(step)
        known = np.random.default_rng([self.seed, step, 1]).random(len(places)) >= self.task.unknown
        rows = list(range(len(places)))[rank::ranks] or [len(places) - 1]
        size = self.excerpts.size
        waves, scored = torch.zeros(len(rows), size), torch.zeros(len(rows), size, dtype=torch.bool)
        labels: dict[str, list[Tensor]] = {kind: [] for kind in self.model.config.labels}
        mels, times = [], []
        for row, place in enumerate(rows):
            recording, begin, context = places[place]
            wave = self._wave(self.train[recording])
            piece = wave[begin : begin + size]
            waves[row, : len(piece)] = piece
            scored[row, context : len(piece)] = True
            for kind, ids in self._labels(self.train[recording]).items():
                labels[kind].append(ids if known[place] else torch.full_like(ids, -1))
            if self.model.config.mel:
                mels.append(self._mel(wave, begin, size))
            if self.model.condition.clock:
                times.append(self.model.condition.times(size, begin))
        told = {kind: torch.cat(ids) for kind, ids in labels.items()}
        return WaveNetBatch(waves, scored, told, torch.cat(mels) if mels else None, torch.cat(times) if times else None)

    def losses(
        self, player: str, batch: WaveNetBatch, step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        loss = _nats(self.players["wavenet"], batch)
        return loss, {"bits_per_sample": loss.item() / math.log(2)}

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """Bits per sample of held-out recordings, and one of them generated anew from its labels or its spectrogram."""
        model = models["wavenet"].eval()
        nats = samples = 0.0
        for example in self.dev:
            wave = self._wave(example)[: round(self.task.dev_seconds * self.sample_rate)]
            loss, _ = model.losses(wave[None], self._labels(example), self._mel(self._wave(example), 0, len(wave)))
            nats, samples = nats + loss.item() * len(wave), samples + len(wave)
        shown = Shown({"bits_per_sample": nats / samples / math.log(2)})
        count = round(self.task.shown_seconds * self.sample_rate)
        if count:
            example = self.dev[-1]
            wave = self._wave(example)[:count]
            chunks = generate(model, len(wave), self._labels(example), self._mel(self._wave(example), 0, len(wave)))
            made = torch.cat(list(chunks), dim=1)[0]
            shown.audio["generated"] = (made, self.sample_rate)
            if len(made) >= self.sample_rate * LEAST_DRAWN:
                shown.pictures["recorded_and_generated"] = spectrogram_pair(wave, made, self.sample_rate)
        return shown

    def state(self) -> dict:
        return {}

    def load_state(self, state: dict) -> None:
        pass

    @staticmethod
    def _wave(example: Example) -> Tensor:
        return torch.from_numpy(example.audio.astype(np.float32) / 32768)

    def _labels(self, example: Example) -> dict[str, Tensor]:
        return self.model.label_ids(chosen_labels(example, self.model.config.labels))

    @torch.no_grad()
    def _mel(self, wave: Tensor, begin: int, size: int) -> Tensor | None:
        """The frames of a stretch as the whole recording gives them, followed by silence where it is over."""
        if not self.model.config.mel:
            return None
        hop = self.model.config.mel.hop
        first, last = begin // hop, -(-(begin + size) // hop)
        frames = self.model.mel_of(wave[None])[..., first:last]
        return F.pad(frames, (0, last - first - frames.shape[-1]), value=SILENT)


def with_labels(config: WaveNetConfig, examples: list[Example]) -> WaveNetConfig:
    """Fill in the names of each kind of label that the config asks for; raises UserError for an example without one."""
    named = [chosen_labels(example, config.labels) for example in examples]
    return config.model_copy(update={"labels": {kind: sorted({one[kind] for one in named}) for kind in config.labels}})


def _nats(model: WaveNet, batch: WaveNetBatch) -> Tensor:
    """Mean negative log-likelihood of the scored samples; the head does not see the others."""
    codes = model.tokenizer.encode(batch.waves)
    z = model(codes, model.condition(batch.labels, batch.mel, batch.times))
    return model.head.loss(z[batch.scored], codes[batch.scored][:, None])
