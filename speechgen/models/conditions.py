"""What is known of a line before its first step: the voice, how long each symbol lasts, what each step is told."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from speechgen.models.arrange import make_rows
from speechgen.models.prompt_state import PromptState
from speechgen.models.rows import Rows, Segment
from speechgen.models.tts import TokenTTS
from speechgen.models.voice import Voice

GUARD = 3.0  # times the expected length after which speech without an end is cut
SECONDS_PER_SYMBOL = 0.12  # expectation where no duration predictor helps (alignment: attention)


@torch.no_grad()
def plan_durations(
    model: TokenTTS,
    numbers: np.ndarray,
    language: str,
    heard: Tensor,
    speed: float,
    rests: Sequence[float] = (),
) -> np.ndarray:
    """Frames of each symbol in a voice that was ``heard``; rounding errors are carried on, so that the whole is as long
    as predicted. ``rests``: seconds that each symbol lasts at least, at speed 1."""
    if model.config.alignment == "attention":
        longest = GUARD * SECONDS_PER_SYMBOL * model.config.frame_rate / speed
        return np.full(len(numbers), max(1, round(longest)))
    symbols = torch.from_numpy(numbers)[None]
    languages = torch.tensor([model.config.languages.index(language)])
    frames = model.durations.frames(symbols, languages, torch.ones_like(symbols, dtype=torch.bool), heard)[0]
    ends = np.round(np.cumsum(frames.double().numpy() / speed)).astype(int)
    # No symbol is lost to rounding: each keeps a frame, which is what makes skipped words impossible.
    planned = np.maximum(np.diff(ends, prepend=0), 1)
    if not len(rests):
        return planned
    return np.maximum(planned, np.round(np.asarray(rests) / speed * model.config.frame_rate).astype(int))


@torch.no_grad()
def hear(model: TokenTTS, prompt: Segment | None, language: str) -> Tensor:
    """What a prompt's voice is like, as one vector (1, width); of no prompt, the voice in none in particular."""
    if prompt is None:
        return model.no_voice[None]
    rows = make_rows(model, [(None, prompt)], [language])
    return model.voice_vector(model.embed(rows.values), rows.steps)


def prompt_of(voice: Voice) -> Segment:
    """A voice's frames with runs of one symbol as that symbol's duration."""
    symbols, durations = torch.unique_consecutive(voice.symbols.clamp_min(0), return_counts=True)
    return Segment(voice.latents, symbols.numpy(), durations.numpy())


def conditions(
    model: TokenTTS,
    rows: Rows,
    heard: Tensor,
    target: Segment,
    guided: bool,
    takes: int,
    remembered: PromptState | None = None,
) -> tuple[Callable[[int, Tensor | None], Tensor], object, int]:
    """The backbone's input for each step, its state with room for all of them, and the most frames."""
    prompt_steps, total = int(rows.prompt_steps[0]), int(rows.steps[0])
    embedded = model.embed(rows.values)
    branches = []
    for null in [False, True] if guided else [False]:
        flag = torch.tensor([null])
        told, memory = model.text(rows, flag)
        branches.append((model.inputs(embedded, told, rows, heard, flag), memory))
    # The inputs hold blank units for the target; what each step is told beside its unit is their difference.
    x = torch.cat([branch.expand(takes, -1, -1) for branch, _ in branches])
    blank = model.embed(rows.values[:, -1:])[:, 0]
    memory, memory_mask = None, None
    if branches[0][1] is not None:
        memory = torch.cat([m.expand(takes, -1, -1) for _, m in branches])
        memory_mask = rows.symbol_mask.expand(len(memory), -1)
    state = model.transformer.initial_state(len(x), total + 1, memory=memory, memory_mask=memory_mask)
    begun = 0 if remembered is None else remembered.resume(x[:, :prompt_steps], state)

    def embed(index: int, unit: Tensor | None) -> Tensor:
        if index == 0:
            return x[:, begun : prompt_steps + 1]
        fed = model.embed(unit) - blank
        told = x[:, min(prompt_steps + index, total - 1)]
        return (told + fed.repeat(len(x) // takes, 1))[:, None]

    return embed, state, target.frames // model.config.patch
