"""How a TTS learns one voice from a few seconds of it: low-rank products beside its matrices (LoRA; Hu et al. 2021),
trained to say the end of each stretch of the recording in the voice of its beginning, and the other way round."""

import math
from collections.abc import Callable

import numpy as np
import torch
from pydantic import Field
from torch import nn

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.models.adapter import Adapter
from speechgen.models.arrange import make_rows
from speechgen.models.load import fingerprint
from speechgen.models.lora import LoRAConfig, add_lora, learned
from speechgen.models.rows import Segment
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import UNKNOWN
from speechgen.training.tts import TTSTask, disturbed

LEAST_SECONDS = 1.5  # of a recording that can be cut in two


class AdaptConfig(Config):
    """``rows``: stretches of at most ``stretch_seconds`` in a step, each cut in two where ``prompt_share`` (least,
    most) of it are over. In half of them the past of what is said is blank, so that the voice comes from the prompt."""

    steps: int = Field(30, gt=0)
    learning_rate: float = Field(2e-3, gt=0)
    lora: LoRAConfig = LoRAConfig(rank=8, alpha=16)
    rows: int = Field(4, gt=0)
    stretch_seconds: float = Field(6.0, gt=0)
    prompt_share: tuple[float, float] = (0.25, 0.6)
    task: TTSTask = TTSTask(history_blank=0.5, history_drop=0.0)


def adapt(
    tts: TokenTTS,
    pieces: list[Segment],
    language: str,
    config: AdaptConfig = AdaptConfig(),
    seed: int = 0,
    on_step: Callable[[], None] = lambda: None,
) -> Adapter:
    """What a TTS, which stays as it is, can learn of a voice from recorded ``pieces`` in a language.

    Raises UserError where no piece is long enough with its words known, for heads that learn from a teacher, and
    without peft.
    """
    if tts.config.head.kind == "one-step":
        raise UserError("a one-step model learns from its teacher, not from recordings; adapt a voice to the teacher")
    least = round(LEAST_SECONDS * tts.config.frame_rate)
    known = [piece for piece in pieces if piece.frames >= least and (piece.symbols != UNKNOWN).any()]
    if not known:
        wants = f"{LEAST_SECONDS:g} s or more of speech, and what is said in it"
        raise UserError(f"adapting to a voice takes {wants}; give the transcript of the prompt")
    generator, draw = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    model = Adapter("", {}).added_to(tts)
    add_lora(model, config.lora)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    with torch.enable_grad():
        _begin(model, generator)
        optimiser = torch.optim.Adam(weights, config.learning_rate)
        for _ in range(config.steps):
            pairs = [_pair(known, tts, config, draw) for _ in range(config.rows)]
            rows = make_rows(model, pairs, [language] * len(pairs))
            nobody = torch.zeros(len(pairs), dtype=torch.bool)
            with torch.autocast("cpu", torch.bfloat16):
                history = disturbed(model, config.task, rows, generator)
                loss = model.losses(rows, history, nobody, config.task.prompt_weight, generator)["unit"]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            on_step()
    return Adapter(fingerprint(tts), learned(model)).rounded()


def _begin(model: nn.Module, generator: torch.Generator) -> None:
    """Draw the lower halves of the products as peft does, but from a generator; the upper ones begin as zero."""
    for name, weight in model.named_parameters():
        if ".lora_A." in name:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)


def _pair(
    pieces: list[Segment], tts: TokenTTS, config: AdaptConfig, draw: np.random.Generator
) -> tuple[Segment, Segment]:
    """A prompt and what is said in its voice: a stretch of a piece cut in two, either part first."""
    frames = np.array([piece.frames for piece in pieces])
    piece = pieces[int(draw.choice(len(pieces), p=frames / frames.sum()))]
    length = min(piece.frames, round(config.stretch_seconds * tts.config.frame_rate))
    stretch = piece.crop(int(draw.integers(piece.frames - length + 1)), length)
    patch = tts.config.patch
    prompt = max(1, int(draw.uniform(*config.prompt_share) * length) // patch) * patch
    if draw.random() < 0.5:
        return stretch.crop(0, prompt), stretch.crop(prompt, length - prompt)
    return stretch.crop(length - prompt, prompt), stretch.crop(0, length - prompt)
