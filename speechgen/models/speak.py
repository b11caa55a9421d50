"""Saying a line with a token TTS: durations first, then one step after another, each frame handed on as it is made.

``speak`` draws one line alone; a line that ``begin`` made may be drawn beside others, by ``lines.advance``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from speechgen.models.arrange import make_rows
from speechgen.models.conditions import conditions, hear, plan_durations, prompt_of
from speechgen.models.lines import Drawing, Line, advance, is_guided, settled
from speechgen.models.prompt_state import PromptState
from speechgen.models.rows import Segment, symbol_numbers
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import UNKNOWN
from speechgen.models.voice import Voice
from speechgen.orders.layout import Step
from speechgen.orders.stepwise import Walk


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
    config, drawing = model.config, settled(model.config, drawing)
    if not is_guided(model, drawing):
        drawing = replace(drawing, guidance=1.0)
    prompt = None if voice is None else prompt_of(voice)
    numbers = symbol_numbers(config, symbols)
    heard = hear(model, prompt, language) if remembered is None else remembered.voice
    if durations is None:
        durations = plan_durations(model, numbers, language, heard, drawing.speed, rests)
    target = Segment(None, numbers, durations).whole_steps(config.patch)
    rows = make_rows(model, [(prompt, target)], [language])
    embed, state, limit = conditions(model, rows, heard, target, drawing.guidance != 1.0, takes, remembered)
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
    prompt = prompt_of(voice)
    heard, rows = hear(model, prompt, language), make_rows(model, [(prompt, nothing)], [language])
    embed, state, _ = conditions(model, rows, heard, nothing, is_guided(model, drawing), 1)
    inputs = embed(0, None)[:, :-1]
    if inputs.shape[1]:
        model.transformer.step(inputs, state)
    return PromptState.of(heard, inputs, state)
