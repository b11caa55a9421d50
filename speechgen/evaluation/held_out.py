"""Held-out signals that the cells of a grid are scored on. Here alone images and sounds differ: in how they are read,
in what the judge and the models take, and in the sheets on which drawn ones are shown."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.lengths import all_fitted
from speechgen.audio.pictures import spectrogram_sheet_png
from speechgen.errors import UserError
from speechgen.evaluation.distances import frechet_distance
from speechgen.evaluation.images import load_judge as load_image_judge
from speechgen.evaluation.images import read_halves, write_png
from speechgen.evaluation.judged import features_of, load_judge, recognised
from speechgen.evaluation.results import short_path
from speechgen.evaluation.sound_sets import read_recordings
from speechgen.models.classifier import GridClassifier, SoundClassifier
from speechgen.models.clip import Clip
from speechgen.models.generator import Generator
from speechgen.training.images import as_tensor, sheet


@dataclass
class Score:
    """``frechet``: distance of features from real data; ``accuracy``: share recognised as what was asked for;
    ``variety``: spread of features within a label, relative to real data (0: all alike). ``milliseconds`` per item,
    drawn ``AT_ONCE`` together. ``bits`` of a held-out item, where the cell says a likelihood."""

    n: int
    frechet: float
    accuracy: float
    variety: float
    milliseconds: float | None = None
    bits: float | None = None


class HeldOut(ABC):
    """Real ``signals`` (N, ...) of ``labels`` (N,), which a perfect model would draw, and a ``reference``, other real
    signals (M, ...) and their labels, which distances and variety are measured from. ``about``: a line on both.
    ``shown``: how many drawn ones, one of each of the first labels, are a row of a sheet."""

    shown = 10

    def __init__(
        self,
        judge: GridClassifier | Clip,
        names: list[str],
        real: tuple[Tensor, Tensor],
        reference: tuple[Tensor, Tensor],
        about: str,
        content: list[np.ndarray],
    ) -> None:
        """``content``: what all was read from, for the ``fingerprint``."""
        self.judge, self.names, self.about = judge, names, about
        self.signals, self.labels = real
        self.reference = features_of(judge, reference[0])
        self._spread = spread(self.reference, reference[1])
        digest = hashlib.sha256()
        for array in (*content, *(weight.numpy() for weight in judge.state_dict().values())):
            digest.update(array.tobytes())
        self.fingerprint = digest.hexdigest()[:12]

    def check(self, model: Generator) -> None:
        """Raises UserError for a model whose signals these cannot judge."""
        if model.config.labels != self.names:
            raise UserError("the held-out data has other labels than it was trained on")

    def score(self, signals: Tensor, labels: Tensor) -> Score:
        """Of signals (n, ...) that shall be labels (n,)."""
        signals = self.for_judge(signals)
        features = features_of(self.judge, signals)
        accuracy = recognised(self.judge, signals, labels, self.names, features)
        variety = spread(features, labels) / self._spread
        return Score(len(signals), frechet_distance(features, self.reference), accuracy, variety)

    def ceiling(self) -> Score:
        """Of the held-out signals themselves."""
        return self.score(self.signals, self.labels)

    def for_judge(self, signals: Tensor) -> Tensor:
        """What a model made, as the judge takes it."""
        return signals

    def for_model(self, model: Generator) -> Tensor:
        """The held-out signals as a model takes them."""
        return self.signals

    @abstractmethod
    def write_sheet(self, path: Path, signals: Tensor, rows: list[str]) -> None:
        """A PNG of signals that models made, ``shown`` in a row for each of the models named."""


class HeldOutImages(HeldOut):
    """Images in two halves, one of which is the reference."""

    def __init__(self, folder: Path, judge: str | Path) -> None:
        """Raises UserError for a folder without images, or with too few, and for a model that is no judge of them."""
        reference, real = read_halves(folder)
        pairs = [(as_tensor(one), torch.from_numpy(one.labels)) for one in (real, reference)]
        about = f"{short_path(str(folder))}, in halves: distances are from one, the ceiling is the other"
        super().__init__(load_image_judge(judge), real.names, *pairs, about, [real.pixels, reference.pixels])

    def write_sheet(self, path: Path, signals: Tensor, rows: list[str]) -> None:
        write_png(path, sheet(signals, self.shown), rows)


class HeldOutSounds(HeldOut):
    """Recordings (N, 1, samples), as the judge hears them; those of training are the reference, as of
    ``speechgen sound score``."""

    judge: SoundClassifier
    shown = 5

    def __init__(self, dump: Path, judge: str | Path, train: Path, label: str = "text") -> None:
        """Raises UserError for dumps that the judge cannot hear, and for a model that is none."""
        loaded = load_judge(judge, SoundClassifier)
        names = loaded.config.labels
        real, reference = (read_recordings(place, label, names, loaded) for place in (dump, train))
        for place, recordings in ((dump, real), (train, reference)):
            if len(recordings.waves) < 2:
                raise UserError(f"{place}: of one recording no distance can be measured; give 2 or more")
        pairs = [(one.waves, torch.from_numpy(one.labels)) for one in (real, reference)]
        about = f"{short_path(str(dump))}; distances are from {short_path(str(train))}"
        super().__init__(loaded, names, *pairs, about, [real.waves.numpy(), reference.waves.numpy()])

    def check(self, model: Generator) -> None:
        super().check(model)
        heard, made = self.judge.config.sample_rate, model.tokenizer.codec.sample_rate
        if heard != made:
            raise UserError(f"its sounds have {made} Hz, and the classifier hears {heard} Hz")

    def for_judge(self, signals: Tensor) -> Tensor:
        return all_fitted(signals, self.judge.config.sample_rate, self.judge.config.samples)

    def for_model(self, model: Generator) -> Tensor:
        return all_fitted(self.signals, self.judge.config.sample_rate, model.tokenizer.samples)

    def write_sheet(self, path: Path, signals: Tensor, rows: list[str]) -> None:
        rate = self.judge.config.sample_rate
        lines = [[(wave, rate) for wave in line] for line in signals.squeeze(1).split(self.shown)]
        heads = [self.names[label % len(self.names)] for label in range(self.shown)]
        path.write_bytes(spectrogram_sheet_png(lines, heads, rows))


def spread(features: Tensor, labels: Tensor) -> float:
    """Mean variance of features (N, D) around the mean of their label (N,)."""
    apart = [features[labels == label] for label in labels.unique()]
    return torch.stack([(own - own.mean(0)).square().sum(1).mean() for own in apart]).mean().item()


def read_held_out(kind: str, test: Path, judge: str | Path, train: Path | None, label: str) -> HeldOut:
    """The held-out signals of a grid of this kind, image or sound; raises UserError for what does not go with it."""
    if kind == "sound":
        if train is None:
            raise UserError("of sounds, distances are measured from recordings of training; name them with --train")
        return HeldOutSounds(test, judge, train, label)
    if train is not None:
        raise UserError("of images, distances are measured from half of the test images; leave out --train")
    return HeldOutImages(test, judge)
