"""Which examples make batch number n: pure functions of the step, so that a resumed run repeats and skips nothing."""

import numpy as np
import torch
from torch import Tensor

from speechgen.data.shards import Example


class LengthBatches:
    """Batches of examples of like length, each of about ``budget`` in total padded length; reshuffled every epoch."""

    def __init__(self, lengths: list[float], budget: float, seed: int = 0):
        self.lengths, self.budget, self.seed = np.asarray(lengths, dtype=float), budget, seed
        self._epoch, self._batches = -1, []
        self._count = len(self._plan(0))

    def __len__(self) -> int:
        """Batches in the first epoch; the others differ by a few at most, and are made equally many."""
        return self._count

    def indices(self, step: int) -> list[int]:
        """The examples of batch ``step``, counted over all epochs."""
        epoch, position = divmod(step, len(self))
        return self._plan(epoch)[position]

    def _plan(self, epoch: int) -> list[list[int]]:
        if epoch == self._epoch:
            return self._batches
        draw = np.random.default_rng([self.seed, epoch])
        # Lengths are jittered by 10 % before sorting, so that an example's neighbours change with the epoch.
        order = np.argsort(self.lengths * draw.uniform(0.9, 1.1, len(self.lengths)), kind="stable")
        batches, batch, longest = [], [], 0.0
        for index in order:
            longest = max(longest, self.lengths[index])
            if batch and longest * (len(batch) + 1) > self.budget:
                batches.append(batch)
                batch, longest = [], self.lengths[index]
            batch.append(int(index))
        batches.append(batch)
        draw.shuffle(batches)
        if epoch > 0:
            batches = (batches + batches[: max(0, self._count - len(batches))])[: self._count]
        self._epoch, self._batches = epoch, batches
        return batches


class Crops:
    """Batches of random crops of equal length; an example is drawn in proportion to its length."""

    def __init__(self, examples: list[Example], samples: int, batch: int, seed: int = 0):
        self.audio = [example.audio for example in examples]
        self.samples, self.size, self.seed = samples, batch, seed
        self.ends = np.cumsum([len(audio) for audio in self.audio])

    def waves(self, step: int) -> Tensor:
        """Batch ``step``: (size, 1, samples) float32; short examples are padded with silence."""
        draw = np.random.default_rng([self.seed, step])
        rows = np.zeros((self.size, self.samples), dtype=np.float32)
        for row in rows:
            audio = self.audio[int(np.searchsorted(self.ends, draw.integers(self.ends[-1]), side="right"))]
            start = int(draw.integers(max(1, len(audio) - self.samples + 1)))
            piece = audio[start : start + self.samples]
            row[: len(piece)] = piece / 32768.0
        return torch.from_numpy(rows)[:, None]


def share(items: list, rank: int, ranks: int) -> list:
    """This rank's part of a global batch: all ranks together see just what one rank alone would.

    When there are fewer items than ranks, the ranks left without one take the last item too.
    """
    return items[rank::ranks] or items[-1:]


def pad_waves(audio: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    """int16 recordings -> (B, longest) float32 padded with silence, and their lengths (B,) in samples."""
    lengths = torch.tensor([len(a) for a in audio])
    waves = torch.zeros(len(audio), int(lengths.max()))
    for row, a in zip(waves, audio, strict=True):
        row[: len(a)] = torch.from_numpy(a.astype(np.float32) / 32768.0)
    return waves, lengths
