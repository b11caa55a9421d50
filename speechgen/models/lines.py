"""Lines of speech that are being drawn, and one step of many at once, which may come and go between steps."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from speechgen.heads.base import STEPPED
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import TTSConfig
from speechgen.nn.cache import TransformerState
from speechgen.orders.layout import Step
from speechgen.orders.stepwise import Walk

# Of 16 dev sentences in kathleen's voice starter-tts gets DNSMOS 2.41 at 0.9, 2.47 at 0.7, 2.56 at 0.5, 2.53 at 0.3.
USUAL_TEMPERATURES = {"latents": 0.5, "codes": 0.9}


@dataclass(frozen=True)
class Drawing:
    """How to draw: ``steps`` of the flow, ``guidance``, ``temperature`` (None: what suits the model's unit), ``speed``
    (2 is twice as fast)."""

    steps: int = 8
    guidance: float = 1.5
    temperature: float | None = None
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


def settled(config: TTSConfig, drawing: Drawing) -> Drawing:
    """The drawing with a temperature: where none is given, what suits the model's unit."""
    return replace(drawing, temperature=USUAL_TEMPERATURES[config.unit]) if drawing.temperature is None else drawing


def is_guided(model: TokenTTS, drawing: Drawing) -> bool:
    """Whether drawing takes a second row, which is told nothing; a one-step head may have guidance in its weights."""
    head = model.config.head
    return drawing.guidance != 1.0 and not (head.kind == "one-step" and head.guidance != 1.0)


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
