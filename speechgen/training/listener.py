"""How the listener is trained: CTC on phonemes and characters, cross-entropy on the speaker."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.data.batches import LengthBatches, pad_waves, share
from speechgen.data.shards import Example
from speechgen.models.listener import BLANK, Heard, Listener, ListenerConfig, greedy
from speechgen.text.normalise import characters
from speechgen.text.spelling import spell
from speechgen.training.loop import Shown


class ListenerTask(Config):
    """What the listener learns from, and how the three losses weigh.

    ``prior_start_step``: the label prior joins when CTC has left its plateau of blanks.
    """

    batch_seconds: float = 160.0
    speaker_weight: float = 0.3
    character_weight: float = 0.3
    time_masks: int = 2
    time_mask_seconds: float = 0.3
    band_masks: int = 2
    band_mask: int = 12
    prior_start_step: int = 1000


BLANK_SYMBOL = "<blank>"


@dataclass
class Spoken:
    """One example and its targets: phonemes open and close with the pause symbol " "."""

    example: Example
    phonemes: list[str]
    characters: list[str]


@dataclass
class ListenerBatch:
    waves: Tensor
    lengths: Tensor
    phonemes: list[list[int]]
    characters: list[list[int]]
    speakers: Tensor

    def to(self, device) -> "ListenerBatch":
        tensors = (self.waves.to(device), self.lengths.to(device))
        return ListenerBatch(*tensors, self.phonemes, self.characters, self.speakers.to(device))


def spoken(examples: list[Example]) -> list[Spoken]:
    """Each example with its text as phonemes and as characters."""
    return [Spoken(e, p, characters(e.text)) for e, p in zip(examples, spell(examples, "phonemes"), strict=True)]


def with_symbols(config: ListenerConfig, spoken: list[Spoken]) -> ListenerConfig:
    """Fill in what the corpus has: its phonemes, characters and speakers, each sorted."""
    return config.model_copy(
        update={
            "phonemes": [BLANK_SYMBOL, *sorted({p for s in spoken for p in s.phonemes})],
            "characters": [BLANK_SYMBOL, *sorted({c for s in spoken for c in s.characters})],
            "speakers": sorted({s.example.speaker for s in spoken}),
        }
    )


class ListenerTraining:
    """The listener as the loop sees it: one player, batches of like length, three losses."""

    def __init__(self, listener: Listener, task: ListenerTask, train: list[Spoken], dev: list[Spoken], seed: int = 0):
        self.players: dict[str, nn.Module] = {"listener": listener}
        self.config, self.task, self.train, self.dev = listener.config, task, train, dev
        self.sample_rate = listener.config.sample_rate
        self.batches = LengthBatches([len(s.example.audio) / self.sample_rate for s in train], task.batch_seconds, seed)
        self.index = {
            "phonemes": {symbol: i for i, symbol in enumerate(self.config.phonemes)},
            "characters": {symbol: i for i, symbol in enumerate(self.config.characters)},
            "speakers": {speaker: i for i, speaker in enumerate(self.config.speakers)},
        }

    def turns(self, step: int) -> list[str]:
        return ["listener"]

    def batch(self, step: int, rank: int, ranks: int) -> ListenerBatch:
        return self._collate([self.train[i] for i in share(self.batches.indices(step), rank, ranks)])

    def losses(self, player: str, batch: ListenerBatch, step: int, generator: torch.Generator):
        listener = self.players["listener"]
        with torch.no_grad():
            frames = self._mask(listener.frames(batch.waves), generator)
        heard = listener(batch.waves, batch.lengths, frames)
        self._follow_prior(listener, heard, batch)
        steps = listener.steps(batch.lengths)
        scores = listener.unpeaked(heard.phonemes) if step >= self.task.prior_start_step else heard.phonemes
        phoneme = _ctc(scores, batch.phonemes, steps)
        character = _ctc(heard.characters, batch.characters, steps)
        speaker = F.cross_entropy(heard.speakers, batch.speakers, ignore_index=-1)
        total = phoneme + self.task.character_weight * character + self.task.speaker_weight * speaker
        return total, {"phoneme": phoneme.item(), "character": character.item(), "speaker": speaker.item()}

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """Phoneme and character error rates on dev (greedy CTC), and speaker accuracy where the speaker is known."""
        listener = models["listener"].eval()
        wrong = {"phonemes": 0, "characters": 0}
        total = {"phonemes": 0, "characters": 0}
        right = known = 0
        for start in range(0, len(self.dev), 16):
            spoken = self.dev[start : start + 16]
            batch = self._collate(spoken).to(next(listener.parameters()).device)
            heard = listener(batch.waves, batch.lengths)
            steps = listener.steps(batch.lengths)
            for kind, scores in (("phonemes", heard.phonemes), ("characters", heard.characters)):
                symbols = getattr(self.config, kind)
                best = listener.recognise if kind == "phonemes" else greedy
                for row, length, one in zip(scores, steps, spoken, strict=True):
                    guess = [symbols[i] for i in best(row[:length])]
                    target = getattr(one, kind)
                    wrong[kind] += torchaudio.functional.edit_distance(guess, target)
                    total[kind] += len(target)
            valid = batch.speakers >= 0
            right += int((heard.speakers.argmax(-1) == batch.speakers)[valid].sum())
            known += int(valid.sum())
        scalars = {
            "phoneme_error": wrong["phonemes"] / total["phonemes"],
            "cer": wrong["characters"] / total["characters"],
        }
        if known:
            scalars["speaker_accuracy"] = right / known
        return Shown(scalars)

    def state(self) -> dict:
        return {}

    def load_state(self, state: dict) -> None:
        pass

    def _collate(self, spoken: list[Spoken]) -> ListenerBatch:
        waves, lengths = pad_waves([one.example.audio for one in spoken])
        return ListenerBatch(
            waves,
            lengths,
            [self._ids("phonemes", one.phonemes) for one in spoken],
            [self._ids("characters", one.characters) for one in spoken],
            torch.tensor([self.index["speakers"].get(one.example.speaker, -1) for one in spoken]),
        )

    def _ids(self, kind: str, symbols: list[str]) -> list[int]:
        index = self.index[kind]
        return [index[symbol] for symbol in symbols if symbol in index]

    def _mask(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """SpecAugment (Park et al. 2019): bands of time and of frequency set to the mean, one set of masks a row."""
        rows, steps, _ = frames.shape
        mels = self.config.mels
        frames = frames.clone()
        longest = int(self.task.time_mask_seconds * self.sample_rate / self.config.hop)
        seed = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
        draw = np.random.default_rng(seed)
        pairs = frames.view(rows, steps, 2, mels)
        for row in range(rows):
            for _ in range(self.task.time_masks):
                start = int(draw.integers(max(1, steps - longest)))
                frames[row, start : start + int(draw.integers(longest + 1))] = 0
            for _ in range(self.task.band_masks):
                low = int(draw.integers(max(1, mels - self.task.band_mask)))
                pairs[row, :, :, low : low + int(draw.integers(self.task.band_mask + 1))] = 0
        return frames

    @torch.no_grad()
    def _follow_prior(self, listener: Listener, heard: Heard, batch: ListenerBatch) -> None:
        real = (
            torch.arange(heard.phonemes.shape[1], device=batch.lengths.device)[None]
            < listener.steps(batch.lengths)[:, None]
        )
        listener.phoneme_prior.lerp_(heard.phonemes.exp()[real].mean(0), 0.02)


def _ctc(scores: Tensor, targets: list[list[int]], steps: Tensor) -> Tensor:
    lengths = torch.tensor([len(t) for t in targets])
    flat = torch.tensor([i for target in targets for i in target])
    # zero_infinity: an utterance with more symbols than frames teaches nothing instead of ruining the step.
    loss = F.ctc_loss(
        scores.transpose(0, 1), flat, steps.cpu(), lengths, blank=BLANK, reduction="none", zero_infinity=True
    )
    return (loss / lengths.clamp_min(1).to(loss)).mean()
