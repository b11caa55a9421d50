"""From prompts and targets to what the TTS reads: frames grouped into steps, each told its symbol."""

import numpy as np
import torch
from torch import Tensor

from speechgen.models.rows import Rows, Segment
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import FEATURES, UNKNOWN


def make_rows(model: TokenTTS, pairs: list[tuple[Segment | None, Segment]], languages: list[str]) -> Rows:
    """Batch (prompt, target) pairs, each in the language of its target; a target without units is left blank."""
    made = [_row(model, prompt, target) for prompt, target in pairs]
    columns = {name: [row[name] for row in made] for name in made[0]}
    padded = {name: torch.nn.utils.rnn.pad_sequence(column, batch_first=True) for name, column in columns.items()}
    numbers = {name: padded.pop(name)[:, 0] for name in ("prompt_steps", "steps", "known")}
    known_languages = {language: i for i, language in enumerate(model.config.languages)}
    return Rows(**padded, **numbers, languages=torch.tensor([known_languages[language] for language in languages]))


def _row(model: TokenTTS, prompt: Segment | None, target: Segment) -> dict[str, Tensor]:
    patch = model.config.patch
    segments = [segment.whole_steps(patch) for segment in (prompt, target) if segment is not None]
    values, real, positions, features = [], [], [], []
    offset = 0
    for segment in segments:
        arranged, is_real = arrange(model, segment)
        position = np.repeat(np.arange(len(segment.symbols)), segment.durations) + offset
        # The steps that an order adds at the end (a delay's lag) are told what the last frame is told.
        extra = np.full((len(arranged) * patch - len(position),), position[-1])
        values.append(arranged)
        real.append(is_real)
        positions.append(np.concatenate([position, extra]).reshape(-1, patch))
        within = np.concatenate([_features(segment.durations), np.zeros((len(extra), FEATURES), np.float32)])
        features.append(within.reshape(-1, patch, FEATURES))
        offset += len(segment.symbols)
    symbols = np.concatenate([segment.symbols for segment in segments])
    durations = np.concatenate([segment.durations for segment in segments])
    known = prompt is not None and bool((prompt.symbols != UNKNOWN).any())
    return {
        "values": torch.cat(values),
        "real": torch.cat(real),
        "symbols": torch.from_numpy(symbols).long(),
        "symbol_mask": torch.ones(len(symbols), dtype=torch.bool),
        "target_symbols": torch.arange(len(symbols)) >= len(symbols) - len(segments[-1].symbols),
        "durations": torch.from_numpy(durations).float(),
        "positions": torch.from_numpy(np.concatenate(positions)).long(),
        "features": torch.from_numpy(np.concatenate(features)),
        "prompt_steps": torch.tensor([len(values[0]) if prompt is not None else 0]),
        "steps": torch.tensor([sum(len(v) for v in values)]),
        "known": torch.tensor([known]),
    }


def arrange(model: TokenTTS, segment: Segment) -> tuple[Tensor, Tensor]:
    """A segment's units grouped into steps as the order has them: (S, D or K) and which are real (S, K or 1)."""
    steps = segment.frames // model.config.patch
    if segment.units is None:
        count = model.order.steps(steps)
        width, dtype = (
            (model.unit_width, torch.float32) if model.config.unit == "latents" else (len(model.embeddings), torch.long)
        )
        return torch.zeros(count, width, dtype=dtype), torch.ones(
            count, 1 if dtype == torch.float32 else width, dtype=torch.bool
        )
    if model.config.unit == "latents":
        white = model.whitening(segment.units.to(model.whitening.mean.device)).cpu()
        return white.reshape(steps, -1), torch.ones(steps, 1, dtype=torch.bool)
    arranged = model.order.forward(segment.units.reshape(steps, -1).T[None])
    return arranged.values[0].T, arranged.mask[0].T


def _features(durations: np.ndarray) -> np.ndarray:
    """For each frame: the share of its symbol that is done, the frames done / 10, log of the symbol's frames / 3."""
    total = np.repeat(durations, durations)
    starts = np.repeat(np.cumsum(durations) - durations, durations)
    done = np.arange(len(total)) - starts
    return np.stack([(done + 0.5) / total, done / 10, np.log(total) / 3], axis=-1).astype(np.float32)
