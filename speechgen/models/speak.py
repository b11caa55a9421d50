"""Drawing speech from a token TTS: durations first, then one step after another, each frame handed on as it is made."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speechgen.models.rows import Segment, make_rows, symbol_numbers
from speechgen.models.tts import Rows, TokenTTS
from speechgen.models.voice import Voice
from speechgen.orders.layout import Step
from speechgen.orders.stepwise import stepwise

GUARD = 3.0  # times the expected length after which speech without an end is cut
SECONDS_PER_SYMBOL = 0.12  # expectation where no duration predictor helps (alignment: attention)


@dataclass(frozen=True)
class Drawing:
    """How to draw: ``steps`` of the flow, ``guidance``, ``temperature``, ``speed`` (2 is twice as fast)."""

    steps: int = 8
    guidance: float = 1.5
    temperature: float = 0.7
    speed: float = 1.0


@torch.no_grad()
def speak(
    model: TokenTTS,
    symbols: list[str],
    language: str,
    voice: Voice | None,
    drawing: Drawing,
    generator: torch.Generator,
    takes: int = 1,
    rests: Sequence[float] = (),
) -> Iterator[Tensor]:
    """Say symbols in a voice: yields units (takes, patch, C) or (takes, patch, K), frame group by frame group.

    Ends when every symbol has had its frames or, after the last symbol began, when the model says so; with attention
    to the text, when the model says so or the length guard does. ``rests``: seconds that each symbol lasts at least,
    where durations are given.
    """
    config = model.config
    prompt = None if voice is None else _prompt(voice)
    numbers = symbol_numbers(config, symbols)
    durations = plan_durations(model, numbers, language, prompt, drawing.speed, rests)
    target = Segment(None, numbers, durations).whole_steps(config.patch)
    rows = make_rows(model, [(prompt, target)], [language])
    guided = drawing.guidance != 1.0
    embed, state, limit = _conditions(model, rows, target, guided, takes)
    last_symbol = (target.frames - int(target.durations[-1])) // config.patch

    def draw(z: Tensor, z_null: Tensor | None, step: Step) -> Tensor:
        options = {"generator": generator, "temperature": drawing.temperature}
        if config.unit == "latents":
            options["steps"] = drawing.steps
        elif config.head.kind == "depth":
            options["real"] = step.real
        elif step.allowed is not None:
            options["allowed"] = step.allowed
        return model.head.sample(z, z_null, drawing.guidance, **options)

    def stop(z: Tensor, unit: Tensor, step: Step) -> Tensor:
        said = model.stop(z)[:, 0] > 0
        if config.alignment == "given" and step.decides < last_symbol:
            return torch.zeros_like(said)
        return said

    for frame in stepwise(model.order, model.transformer, state, embed, draw, limit=limit, stop=stop, guided=guided):
        units = frame.values.view(takes, config.patch, -1)
        yield model.whitening.inverse(units) if config.unit == "latents" else units


@torch.no_grad()
def plan_durations(
    model: TokenTTS,
    numbers: np.ndarray,
    language: str,
    prompt: Segment | None,
    speed: float,
    rests: Sequence[float] = (),
) -> np.ndarray:
    """Frames of each symbol; rounding errors are carried on, so that the whole is as long as predicted. ``rests``:
    seconds that each symbol lasts at least, at speed 1."""
    if model.config.alignment == "attention":
        longest = GUARD * SECONDS_PER_SYMBOL * model.config.frame_rate / speed
        return np.full(len(numbers), max(1, round(longest)))
    symbols = torch.from_numpy(numbers)[None]
    languages = torch.tensor([model.config.languages.index(language)])
    if prompt is None:
        voice = model.no_voice[None]
    else:
        rows = make_rows(model, [(None, prompt)], [language])
        voice = model.voice_vector(model.embed(rows.values), rows.steps)
    frames = model.durations.frames(symbols, languages, torch.ones_like(symbols, dtype=torch.bool), voice)[0]
    ends = np.round(np.cumsum(frames.double().numpy() / speed)).astype(int)
    # No symbol is lost to rounding: each keeps a frame, which is what makes skipped words impossible.
    planned = np.maximum(np.diff(ends, prepend=0), 1)
    if not len(rests):
        return planned
    return np.maximum(planned, np.round(np.asarray(rests) / speed * model.config.frame_rate).astype(int))


def _prompt(voice: Voice) -> Segment:
    """A voice's frames with runs of one symbol as that symbol's duration."""
    symbols, durations = torch.unique_consecutive(voice.symbols.clamp_min(0), return_counts=True)
    return Segment(voice.latents, symbols.numpy(), durations.numpy())


def _conditions(
    model: TokenTTS, rows: Rows, target: Segment, guided: bool, takes: int
) -> tuple[Callable[[int, Tensor | None], Tensor], object, int]:
    """The backbone's input for each step, its state with room for all of them, and the most frames."""
    prompt_steps, total = int(rows.prompt_steps[0]), int(rows.steps[0])
    embedded = model.embed(rows.values)
    voice = model.voice_vector(embedded, rows.prompt_steps)
    branches = []
    for null in [False, True] if guided else [False]:
        flag = torch.tensor([null])
        told, memory = model.text(rows, flag)
        branches.append((model.inputs(embedded, told, rows, model.no_voice[None] if null else voice), memory))
    # The inputs hold blank units for the target; what each step is told beside its unit is their difference.
    x = torch.cat([branch.expand(takes, -1, -1) for branch, _ in branches])
    blank = model.embed(rows.values[:, -1:])[:, 0]
    memory, memory_mask = None, None
    if branches[0][1] is not None:
        memory = torch.cat([m.expand(takes, -1, -1) for _, m in branches])
        memory_mask = rows.symbol_mask.expand(len(memory), -1)
    state = model.transformer.initial_state(len(x), total + 1, memory=memory, memory_mask=memory_mask)

    def embed(index: int, unit: Tensor | None) -> Tensor:
        if index == 0:
            return x[:, : prompt_steps + 1]
        fed = model.embed(unit) - blank
        told = x[:, min(prompt_steps + index, total - 1)]
        return (told + fed.repeat(len(x) // takes, 1))[:, None]

    return embed, state, target.frames // model.config.patch
