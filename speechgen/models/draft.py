"""A smaller model proposes codes and the model itself decides: the same distribution in fewer passes of it.

The two are alike in units and order; the draft has a narrower or shallower backbone. How: ``orders.speculative``.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.models.draw import Drawing as ImageDrawing
from speechgen.models.generator import Generator
from speechgen.models.lines import Drawing, Line
from speechgen.models.speak import begin
from speechgen.models.tts import TokenTTS
from speechgen.models.voice import Voice
from speechgen.nn.transformer import Transformer
from speechgen.orders.base import FROM_THE_LEFT
from speechgen.orders.layout import Step
from speechgen.orders.speculative import Speaker, Tally, speculate
from speechgen.orders.stepwise import Walk

AHEAD = 4  # steps that the draft proposes at a time
ALIKE = ("unit", "order", "alignment", "text", "symbols", "languages", "codebooks", "codebook_size", "patch")


def check_draft(model: nn.Module, draft: nn.Module) -> None:
    """Raises UserError, with the way out, where a draft cannot propose for this model."""
    if type(model) is not type(draft) or not isinstance(model, Generator | TokenTTS):
        kinds = f"of kind {draft.config.kind}, and the model of kind {model.config.kind}"
        raise UserError(f"the draft is {kinds}; both must draw codes one after another, with the same kind of model")
    for one in (model, draft):
        if one.config.head.kind != "categorical" or one.config.order.kind not in FROM_THE_LEFT:
            raise UserError(
                f"a draft is for codes drawn from the left by head: categorical, not for order: "
                f"{one.config.order.kind} with head: {one.config.head.kind}; leave out --draft"
            )
        if isinstance(one, Generator) and not isinstance(one.backbone, Transformer):
            raise UserError(
                "a draft is for a backbone that can go back, and only the transformer can; leave out --draft"
            )
    if isinstance(model, Generator):
        unlike = [] if _shape(model) == _shape(draft) else ["labels, order or codes"]
    else:
        unlike = [name for name in ALIKE if getattr(model.config, name) != getattr(draft.config, name)]
    if unlike:
        raise UserError(f"the draft differs from the model in {', '.join(unlike)}; train it with the same, but smaller")


@torch.no_grad()
def draw_images_with_draft(
    model: Generator,
    draft: Generator,
    labels: Tensor,
    drawing: ImageDrawing,
    generator: torch.Generator,
    ahead: int = AHEAD,
) -> tuple[Tensor, Tally]:
    """Images (N, C, side, side) as ``draw.draw_images`` has them, one after another, and what was accepted.

    Raises UserError for a draft that does not fit, and for what the model cannot do.
    """
    check_draft(model, draft)
    drawing.check(model)
    if model.small is not None or draft.small is not None:
        raise UserError("a draft is for models that draw from labels alone, not from small pictures; leave out --draft")
    units, tally = [], Tally()
    guided = drawing.guidance != 1.0
    for label in labels.split(1):
        rows = torch.cat([label, torch.full_like(label, model.nothing)]) if guided else label
        target, small = (_painter(one, rows, drawing) for one in (model, draft))
        walk = Walk(model.order, target.embed, limit=model.units)
        frames = speculate(walk, target, small, ahead=ahead, guided=guided, generator=generator, tally=tally)
        units.append(torch.stack([frame.values for frame in frames], dim=2))
    return model.images_of(torch.cat(units)), tally


@torch.inference_mode()
def speak_with_draft(
    model: TokenTTS,
    draft: TokenTTS,
    symbols: list[str],
    language: str,
    voice: Voice | None,
    drawing: Drawing,
    generator: torch.Generator,
    takes: int = 1,
    rests: Sequence[float] = (),
    ahead: int = AHEAD,
    tally: Tally | None = None,
) -> Iterator[Tensor]:
    """As ``speak.speak``, for codes. The draft is told the durations that the model itself planned."""
    line = begin(model, symbols, language, voice, drawing, generator, takes, rests)
    guess = begin(draft, symbols, language, voice, drawing, generator, takes, durations=line.durations)
    target, small = (_reader(one, part) for one, part in ((model, line), (draft, guess)))
    options = {"ahead": ahead, "guided": line.guided, "generator": generator, "tally": tally}
    for frame in speculate(line.walk, target, small, **options):
        yield frame.values.view(takes, model.config.patch, -1)


def _shape(model: Generator) -> tuple:
    codes = model.tokenizer.codebooks, model.tokenizer.codebook_size, model.positions
    return model.config.labels, model.config.captions, model.config.order, codes


def _painter(model: Generator, rows: Tensor, drawing: ImageDrawing) -> Speaker:
    """A generator of images at work on one label: rows (1,), or (2,) with the null label."""
    state = model.backbone.initial_state(len(rows), model.positions, condition=model.condition(rows))
    nothing = torch.zeros(1, model.order.codes_per_step, dtype=torch.long, device=rows.device)

    def embed(index: int, unit: Tensor | None) -> Tensor:
        blank = torch.full((1, 1), index == 0, device=rows.device)
        return model.embed((nothing if unit is None else unit)[:, None], blank, index).expand(len(rows), -1, -1)

    return Speaker(model.backbone, state, embed, _probabilities(model, drawing))


def _reader(model: TokenTTS, line: Line) -> Speaker:
    return Speaker(model.transformer, line.state, line.walk.embed, _probabilities(model, line.drawing))


def _probabilities(model: Generator | TokenTTS, drawing: ImageDrawing | Drawing):
    def probabilities(z: Tensor, z_null: Tensor | None, step: Step) -> Tensor:
        return model.head.probabilities(z, z_null, drawing.guidance, drawing.temperature, step.allowed)

    return probabilities
