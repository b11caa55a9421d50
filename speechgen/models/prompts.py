"""The beginning of a recording as units that a generator of sounds continues."""

from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.files import read_audio
from speechgen.audio.lengths import fitted
from speechgen.audio.resample import resample
from speechgen.errors import UserError
from speechgen.models.generator import Generator


@torch.no_grad()
def prompt_units(model: Generator, recording: Path, seconds: float, count: int) -> Tensor:
    """The first so many seconds of a recording, ``count`` times: units (count, K | D, P).

    Raises UserError for a recording that is shorter, and a prompt that leaves nothing to continue.
    """
    codec, patch = model.tokenizer.codec, model.tokenizer.config.patch
    wave, rate = read_audio(recording)
    wave = resample(wave, rate, codec.sample_rate)
    if len(wave) < seconds * codec.sample_rate:
        length = f"{len(wave) / codec.sample_rate:.2f} s"
        raise UserError(f"{recording}: has {length}, a prompt of {seconds:g} s is wanted; give fewer --prompt_seconds")
    units = round(seconds * codec.frame_rate) // patch
    if not 0 < units < model.units:
        longest = (model.units - 1) * patch / codec.frame_rate
        raise UserError(f"a prompt of {seconds:g} s: the model's sounds last {longest:g} s, so give less, and some")
    whole = model.units_of(fitted(wave, codec.sample_rate, model.tokenizer.samples)[None, None])
    return whole[..., :units].repeat(count, 1, 1)
