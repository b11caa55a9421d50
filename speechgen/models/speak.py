"""Drawing speech from a token TTS: durations first, then one step after another, each frame handed on as it is made.

``speak`` draws one line alone; ``advance`` makes one step of many, which may come and go between steps.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from speechgen.heads.base import STEPPED
from speechgen.models.prompt_state import PromptState
from speechgen.models.rows import Segment, make_rows, symbol_numbers
from speechgen.models.tts import UNKNOWN, Rows, TokenTTS
from speechgen.models.voice import Voice
from speechgen.nn.cache import TransformerState
from speechgen.orders.layout import Step
from speechgen.orders.stepwise import Walk

GUARD = 3.0  # times the expected length after which speech without an end is cut
SECONDS_PER_SYMBOL = 0.12  # expectation where no duration predictor helps (alignment: attention)


@dataclass(frozen=True)
class Drawing:
    """How to draw: ``steps`` of the flow, ``guidance``, ``temperature``, ``speed`` (2 is twice as fast)."""

    steps: int = 8
    guidance: float = 1.5
    temperature: float = 0.7
    speed: float = 1.0


@dataclass
class Line:
    """Speech that is being drawn: where it stands, what the transformer remembers of it, and how to draw. Symbol
    number n has ``durations[n]`` frames."""

    walk: Walk
    state: TransformerState
    drawing: Drawing
    generator: torch.Generator
    takes: int
    durations: np.ndarray

    @property
    def done(self) -> bool:
        return self.walk.done

    @property
    def guided(self) -> bool:
        return self.drawing.guidance != 1.0


def is_guided(model: TokenTTS, drawing: Drawing) -> bool:
    """Whether drawing takes a second row, which is told nothing; a one-step head may have guidance in its weights."""
    head = model.config.head
    return drawing.guidance != 1.0 and not (head.kind == "one-step" and head.guidance != 1.0)


def speak(
    model: TokenTTS,
    symbols: list[str],
    language: str,
    voice: Voice | None,
    drawing: Drawing,
    generator: torch.Generator,
    takes: int = 1,
    rests: Sequence[float] = (),
    remembered: PromptState | None = None,
) -> Iterator[Tensor]:
    """Say symbols in a voice: yields units (takes, patch, C) or (takes, patch, K), frame group by frame group.

    Ends when every symbol has had its frames or, after the last symbol began, when the model says so; with attention
    to the text, when the model says so or the length guard does. ``rests``: seconds that each symbol lasts at least,
    where durations are given. ``remembered``: of the voice's prompt, by ``remember``.
    """
    line = begin(model, symbols, language, voice, drawing, generator, takes, rests, remembered)
    while not line.done:
        units = advance(model, [line])[0]
        if units is not None:
            yield units


@torch.inference_mode()
def begin(
    model: TokenTTS,
    symbols: list[str],
    language: str,
    voice: Voice | None,
    drawing: Drawing,
    generator: torch.Generator,
    takes: int = 1,
    rests: Sequence[float] = (),
    remembered: PromptState | None = None,
    durations: np.ndarray | None = None,
) -> Line:
    """A line before its first step; arguments as of ``speak``. ``durations``: frames of each symbol, where they are
    planned already."""
    config = model.config
    if not is_guided(model, drawing):
        drawing = replace(drawing, guidance=1.0)
    prompt = None if voice is None else _prompt(voice)
    numbers = symbol_numbers(config, symbols)
    heard = hear(model, prompt, language) if remembered is None else remembered.voice
    if durations is None:
        durations = plan_durations(model, numbers, language, heard, drawing.speed, rests)
    target = Segment(None, numbers, durations).whole_steps(config.patch)
    rows = make_rows(model, [(prompt, target)], [language])
    embed, state, limit = _conditions(model, rows, heard, target, drawing.guidance != 1.0, takes, remembered)
    last_symbol = (target.frames - int(target.durations[-1])) // config.patch

    def stop(z: Tensor, unit: Tensor, step: Step) -> Tensor:
        said = model.stop(z)[:, 0] > 0
        if config.alignment == "given" and step.decides < last_symbol:
            return torch.zeros_like(said)
        return said

    return Line(Walk(model.order, embed, limit, stop), state, drawing, generator, takes, durations)


@torch.inference_mode()
def remember(model: TokenTTS, voice: Voice, language: str, drawing: Drawing) -> PromptState | None:
    """What the model remembers of a voice's prompt before any text of a language, for ``begin``. None where each step
    of the prompt hears the text: with attention to it, and where the prompt's own words are not known, so that all of
    it is one symbol beside the first of the text."""
    if model.config.alignment == "attention" or (voice.symbols <= UNKNOWN).all():
        return None
    nothing = Segment(None, np.array([UNKNOWN]), np.array([model.config.patch]))
    prompt = _prompt(voice)
    heard, rows = hear(model, prompt, language), make_rows(model, [(prompt, nothing)], [language])
    embed, state, _ = _conditions(model, rows, heard, nothing, is_guided(model, drawing), 1)
    inputs = embed(0, None)[:, :-1]
    if inputs.shape[1]:
        model.transformer.step(inputs, state)
    return PromptState.of(heard, inputs, state)


@torch.inference_mode()
def advance(model: TokenTTS, lines: list[Line]) -> list[Tensor | None]:
    """One step of several lines at once: the units (takes, patch, C or K) that each completed, if it did.

    A line's units do not depend on the lines beside it, but for the rounding of sums. Lines at their first step read
    their prompts alone; the others share one pass through the transformer, and those drawn alike through the head.
    Where there are several, each has one take.
    """
    states = _hidden(model, lines)
    halves = [z.chunk(2) if line.guided else (z, None) for line, z in zip(lines, states, strict=True)]
    steps = [line.walk.plan(conditioned) for line, (conditioned, _) in zip(lines, halves, strict=True)]
    units: list[Tensor | None] = [None] * len(lines)
    alike: dict[tuple, list[int]] = {}
    for number, (line, step) in enumerate(zip(lines, steps, strict=True)):
        drawing = line.drawing
        alike.setdefault((drawing.steps, drawing.guidance, drawing.temperature, step.allowed), []).append(number)
    for group in alike.values():
        lists = ([of[number] for number in group] for of in (lines, halves, steps))
        for number, unit in zip(group, _drawn(model, *lists), strict=True):
            line = lines[number]
            frame = line.walk.take(halves[number][0], unit)
            if frame is not None:
                units[number] = frame.values.view(line.takes, model.config.patch, -1)
    if model.config.unit == "latents":
        return [None if unit is None else model.whitening.inverse(unit) for unit in units]
    return units


def _hidden(model: TokenTTS, lines: list[Line]) -> list[Tensor]:
    """The transformer's output for the next step of each line: (takes, C), or (2 takes, C) with the null rows."""
    fed = [line.walk.feed() for line in lines]
    together = [number for number, x in enumerate(fed) if x.shape[1] == 1]
    z: list[Tensor] = [torch.empty(0)] * len(lines)
    if len(together) > 1:
        stepped = model.transformer.step_together([fed[n] for n in together], [lines[n].state for n in together])
        for number, out in zip(together, stepped, strict=True):
            z[number] = out[:, -1]
    for number, (line, x) in enumerate(zip(lines, fed, strict=True)):
        if len(together) < 2 or number not in together:
            out, line.state = model.transformer.step(x, line.state)
            z[number] = out[:, -1]
    return z


def _drawn(
    model: TokenTTS, lines: list[Line], halves: list[tuple[Tensor, Tensor | None]], steps: list[Step]
) -> list[Tensor]:
    """The units that the head draws for lines which are drawn alike, from z and its null of each."""
    kind, drawing = model.config.head.kind, lines[0].drawing
    generator = lines[0].generator if len(lines) == 1 else [line.generator for line in lines]
    options: dict = {"generator": generator, "temperature": drawing.temperature}
    if kind in STEPPED:
        options["steps"] = drawing.steps
    elif kind == "depth":
        options["real"] = torch.cat([step.real for step in steps])
    elif steps[0].allowed is not None:
        options["allowed"] = steps[0].allowed
    conditioned = torch.cat([half for half, _ in halves])
    null = torch.cat([half for _, half in halves]) if lines[0].guided else None
    units = model.head.sample(conditioned, null, drawing.guidance, **options)
    return list(units.split([line.takes for line in lines]))


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


def _prompt(voice: Voice) -> Segment:
    """A voice's frames with runs of one symbol as that symbol's duration."""
    symbols, durations = torch.unique_consecutive(voice.symbols.clamp_min(0), return_counts=True)
    return Segment(voice.latents, symbols.numpy(), durations.numpy())


def _conditions(
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
        branches.append((model.inputs(embedded, told, rows, model.no_voice[None] if null else heard), memory))
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
