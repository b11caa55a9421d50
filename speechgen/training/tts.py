"""How the TTS is trained: teacher-forced on units, with disturbed history, prompts of the same speaker, null rows."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from speechgen.audio.pictures import spectrogram_pair
from speechgen.config import Config
from speechgen.data.batches import LengthBatches, share
from speechgen.data.units import Units
from speechgen.errors import UserError
from speechgen.models.arrange import make_rows
from speechgen.models.lines import Drawing
from speechgen.models.load import unit_fingerprint
from speechgen.models.rows import Rows, Segment, symbol_numbers
from speechgen.models.speak import speak
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import TTSConfig
from speechgen.models.voice import Voice
from speechgen.nn.whitening import Whitening
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.codec import Codec
from speechgen.training.distil import Teacher
from speechgen.training.loop import Shown

DEV_UTTERANCES = 64
CLIPS = 3  # dev sentences to hear in tensorboard


class TTSTask(Config):
    """``batch_seconds``: of targets. ``prompt_seconds``: shortest and longest prompt. ``no_prompt``: share of rows
    without one; ``no_transcript``: share of prompts without their text; ``null``: share of rows told nothing, for
    guidance. ``history_noise``: largest deviation of noise on the units read; ``history_drop``: share of the steps
    dropped from what is read, in half the rows; ``history_blank``: share of the rows in which all of the target is, so
    that the voice can only come from the prompt. ``prompt_weight``: of the prompt's own units in the loss.
    ``repeat``: how many times an epoch sees the utterances of a speaker, where not once. ``rewhiten``: measure the
    whitening of latents anew, as near to the initial model's as can be; for units of a codec that has changed."""

    batch_seconds: float = 100.0
    prompt_seconds: tuple[float, float] = (1.5, 4.0)
    longest_seconds: float = 14.0
    no_prompt: float = 0.05
    no_transcript: float = 0.3
    null: float = 0.1
    history_noise: float = 0.4
    history_drop: float = 0.2
    history_blank: float = Field(0.0, ge=0, le=1)
    prompt_weight: float = 0.5
    repeat: dict[str, int] = {}
    rewhiten: bool = False


@dataclass
class TTSBatch:
    rows: Rows
    null: Tensor

    def to(self, device) -> "TTSBatch":
        return TTSBatch(self.rows.to(device), self.null.to(device))


def build_tts(
    config: TTSConfig, units: list[Units], initial: TokenTTS | None = None, rewhiten: bool = False
) -> TokenTTS:
    """A model that fits its corpus: its symbols, languages, unit sizes, and the whitening of its latents.

    Weights of an ``initial`` model are of use only with that model's own symbols, languages and whitening; of units
    that have changed it may ``rewhiten``, to one as near as can be.
    Raises UserError when the corpus has symbols or languages that it lacks.
    """
    symbols = sorted({symbol for one in units for symbol in one.symbols})
    languages = sorted({one.language for one in units})
    white = None if initial is None else initial.whitening
    if white is None or rewhiten:
        samples = torch.from_numpy(_some_latents(units))
        white = Whitening.measure(samples, config.white_power, config.white_floor, near=white)
    if initial is not None:
        for kind, known, used in (
            ("symbols", initial.config.symbols, symbols),
            ("languages", initial.config.languages, languages),
        ):
            if lacking := sorted(set(used) - set(known)):
                raise UserError(f"initial: that model lacks {kind} of the corpus: {' '.join(lacking)}")
        symbols, languages = initial.config.symbols, initial.config.languages
    facts = {
        "symbols": symbols,
        "languages": languages,
        "frame_rate": units[0].frame_rate,
        "unit_width": units[0].latents.shape[1],
        "white_width": white.matrix.shape[1],
    }
    model = TokenTTS(config.model_copy(update=facts))
    model.whitening.load_state_dict(white.state_dict())
    return model


def _some_latents(units: list[Units], frames: int = 200_000) -> np.ndarray:
    """Latents of evenly chosen utterances, about so many frames."""
    every = max(1, sum(one.frames for one in units) // frames)
    return np.concatenate([one.latents for one in units[::every]])


class Corpus:
    """Utterances, and those of each speaker, where prompts come from."""

    def __init__(self, units: list[Units]):
        self.units = units
        self.of_speaker: dict[str, list[Units]] = {}
        for one in units:
            self.of_speaker.setdefault(one.speaker, []).append(one)


class TTSTraining:
    """The TTS as the loop sees it: one player, targets of like length, a fresh prompt each time."""

    def __init__(
        self,
        model: TokenTTS,
        task: TTSTask,
        train: list[Units],
        dev: list[Units],
        codec: Codec,
        seed: int = 0,
        teacher: Teacher | None = None,
    ):
        """``teacher``: makes the units that a one-step head learns, in place of the recorded ones."""
        self.players: dict[str, nn.Module] = {"tts": model}
        self.teacher, self.judges = teacher, [teacher.model] if teacher else []
        self.model, self.task, self.codec, self.seed = model, task, codec, seed
        self.sample_rate = codec.sample_rate
        fitting = [one for one in train if one.seconds <= task.longest_seconds]
        self.train = Corpus([one for one in fitting for _ in range(task.repeat.get(one.speaker, 1))])
        self.dev = Corpus(
            [one for one in dev if one.seconds <= task.longest_seconds][:: max(1, len(dev) // DEV_UTTERANCES)]
        )
        if not self.train.units or not self.dev.units:
            which = "dev" if self.train.units else "train"
            raise UserError(f"data.{which}: no utterance within task.longest_seconds = {task.longest_seconds:g}")
        self.batches = LengthBatches([one.seconds for one in self.train.units], task.batch_seconds, seed)

    def turns(self, step: int) -> list[str]:
        return ["tts"]

    def batch(self, step: int, rank: int, ranks: int) -> TTSBatch:
        indices = share(self.batches.indices(step), rank, ranks)
        return self._collate(self.train, indices, np.random.default_rng([self.seed, step, rank]))

    def losses(
        self, player: str, batch: TTSBatch, step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        history = disturbed(self.model, self.task, batch.rows, generator)
        weight, couples = self.task.prompt_weight, self._couples(batch, generator)
        losses = self.model.losses(batch.rows, history, batch.null, weight, generator, couples)
        return sum(losses.values()), {name: loss.item() for name, loss in losses.items()}

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """The losses on dev with undisturbed history; ``unit_from_prompt``, where the target's own past is blank, so
        that the voice can only come from the prompt; and some sentences spoken, to hear beside their recordings as the
        codec has them. The draws are the same every time."""
        model = models["tts"].eval()
        draw = np.random.default_rng(self.seed)
        fixed, again = (torch.Generator(device=generator.device).manual_seed(self.seed) for _ in range(2))
        sums: dict[str, float] = {}
        from_prompt = 0.0
        count = len(self.dev.units)
        groups = [list(range(start, min(start + 16, count))) for start in range(0, count, 16)]
        for group in groups:
            batch = self._collate(self.dev, group, draw).to(model.begin.device)
            batch.null = torch.zeros_like(batch.null)
            history, couples = model.embed(batch.rows.values), self._couples(batch, fixed)
            losses = model.losses(batch.rows, history, batch.null, 0.0, fixed, couples)
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + loss.item() / len(groups)
            history = history.masked_fill(batch.rows.of_target[..., None], 0.0)
            losses = model.losses(batch.rows, history, batch.null, 0.0, again, couples)
            from_prompt += losses["unit"].item() / len(groups)
        shown = Shown({**sums, "unit_from_prompt": from_prompt}, loss=sum(sums.values()))
        speaker = (
            model if model.begin.device.type == "cpu" else copy.deepcopy(model).cpu()
        )  # speaking is the CPU's work
        fixed = torch.Generator().manual_seed(self.seed)
        for number, one in enumerate(self.dev.units[:: max(1, count // CLIPS)][:CLIPS], start=1):
            wave = self._spoken(speaker, one, draw, fixed)
            if len(wave) > self.sample_rate // 4:  # an untrained model may stop at once
                recorded = self.codec.decode_latents(torch.from_numpy(one.latents).float()[None])[0, 0]
                shown.audio[f"{number}/spoken"] = wave, self.sample_rate
                shown.audio[f"{number}/recording"] = recorded, self.sample_rate
                picture = spectrogram_pair(wave, wave, self.sample_rate)
                shown.pictures[f"{number}/spoken"] = picture[: len(picture) // 2]
        return shown

    def _spoken(self, model: TokenTTS, one: Units, draw: np.random.Generator, generator: torch.Generator) -> Tensor:
        """A dev sentence in its speaker's voice, (T,)."""
        prompt = self._prompt(one, self.dev, draw)
        voice = None
        if prompt is not None:
            symbols = torch.from_numpy(np.repeat(prompt.symbols, prompt.durations))
            voice = Voice(prompt.units, symbols, one.language, unit_fingerprint(self.codec))
        units = torch.cat(list(speak(model, one.symbols, one.language, voice, Drawing(), generator)), dim=1)
        if model.config.unit == "latents":
            return self.codec.decode_latents(units)[0, 0]
        return self.codec.decode(Tokens(units.transpose(1, 2), "discrete"))[0, 0]

    def state(self) -> dict:
        return {}

    def load_state(self, state: dict) -> None:
        pass

    def _collate(self, corpus: Corpus, indices: list[int], draw: np.random.Generator) -> TTSBatch:
        targets = [corpus.units[i] for i in indices]
        pairs = [(self._prompt(one, corpus, draw), self._segment(one)) for one in targets]
        rows = make_rows(self.model, pairs, [one.language for one in targets])
        share = 0.0 if self.teacher is not None and self.teacher.guides else self.task.null
        return TTSBatch(rows, torch.from_numpy(draw.random(len(indices)) < share))

    def _couples(self, batch: TTSBatch, generator: torch.Generator) -> tuple[Tensor, Tensor] | None:
        return None if self.teacher is None else self.teacher.couples(batch.rows, batch.null, generator)

    def _prompt(self, target: Units, corpus: Corpus, draw: np.random.Generator) -> Segment | None:
        """A piece of another utterance of the speaker: one cut from the target itself teaches skipping."""
        others = [one for one in corpus.of_speaker[target.speaker] if one.text != target.text]
        if not others or draw.random() < self.task.no_prompt:
            return None
        segment = self._segment(others[int(draw.integers(len(others)))])
        frames = int(draw.uniform(*self.task.prompt_seconds) * target.frame_rate)
        start = int(draw.integers(max(1, segment.frames - frames + 1)))
        segment = segment.crop(start, min(frames, segment.frames))
        return segment.unknown() if draw.random() < self.task.no_transcript else segment

    def _segment(self, one: Units) -> Segment:
        config = self.model.config
        if config.unit == "latents":
            units = torch.from_numpy(one.latents).float()
        else:
            units = torch.from_numpy(one.codes[:, : config.codebooks]).long()
        return Segment(units, symbol_numbers(config, one.symbols), one.durations)


def disturbed(model: TokenTTS, task: TTSTask, rows: Rows, generator: torch.Generator) -> Tensor:
    """What the model reads of the past, made unreliable in training, since it will be when the model speaks."""
    device = rows.values.device
    batch, steps = rows.values.shape[:2]
    level = torch.rand(batch, 1, 1, generator=generator, device=device) * task.history_noise
    if model.config.unit == "latents":
        noise = torch.randn(rows.values.shape, generator=generator, device=device)
        history = model.embed(rows.values + level * noise)
    else:
        other = torch.randint(model.config.codebook_size, rows.values.shape, generator=generator, device=device)
        swap = torch.rand(rows.values.shape, generator=generator, device=device) < 0.5 * level
        history = model.embed(torch.where(swap & rows.real, other, rows.values))
    dropping = torch.rand(batch, 1, generator=generator, device=device) < 0.5
    drop = dropping & (torch.rand(batch, steps, generator=generator, device=device) < task.history_drop)
    if task.history_blank:
        blank = torch.rand(batch, 1, generator=generator, device=device) < task.history_blank
        drop |= blank & rows.of_target
    return history.masked_fill(drop[..., None], 0.0)
