"""From audio dumps to unit dumps: the codec's latents and codes, and the listener's alignment, once per utterance."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.data.perturb import perturbed
from speechgen.data.shards import Example
from speechgen.data.units import Units
from speechgen.errors import UserError
from speechgen.models.align import Alignment, align
from speechgen.models.listener import Listener
from speechgen.text.spelling import spell_each
from speechgen.tokenizers.codec import Codec


@torch.no_grad()
def dump_units(
    codec: Codec,
    listener: Listener,
    examples: list[Example],
    on_skip: Callable[[str, str], None],
    on_done: Callable[[], None] = lambda: None,
    speeds: Sequence[float] = (),
    perturbed_speakers: str = "*",
) -> Iterator[Units]:
    """Units of each example that can be aligned; ``on_skip(id, reason)`` for the others.

    ``speeds``: after each example it comes again at these, pitch and all, as another speaker's: ``ID-sp0.9`` by
    ``SPEAKER-sp0.9`` (speed perturbation, Ko et al. 2015), if ``perturbed_speakers``, a pattern with ``*``, names its
    speaker.
    """
    for example, symbols in zip(examples, spell_each(examples), strict=True):
        on_done()
        if isinstance(symbols, str):
            on_skip(example.id, symbols)
            continue
        wave = torch.from_numpy(example.audio.astype(np.float32) / 32768)
        try:
            aligned = align(listener, resample(wave, example.sample_rate, listener.config.sample_rate), symbols)
        except UserError as error:
            on_skip(example.id, str(error))
            continue
        for speed in (1.0, *speeds) if fnmatchcase(example.speaker, perturbed_speakers) else (1.0,):
            played = resample(wave, round(example.sample_rate * speed), codec.sample_rate)
            copy = replace(example, id=perturbed(example.id, speed), speaker=perturbed(example.speaker, speed))
            units = _units(codec, copy, aligned.at_speed(speed), played)
            if isinstance(units, str):
                on_skip(copy.id, units)
            else:
                yield units


def _units(codec: Codec, example: Example, aligned: Alignment, wave: Tensor) -> Units | str:
    """The units of an example whose audio is (T,) at the codec's rate, or why there are none."""
    symbols = aligned.symbols
    latents = codec.latents(wave[None, None])
    codes = codec.quantise(latents).values[0].T if codec.codebooks else torch.zeros(latents.shape[1], 0)
    latents = latents[0]
    _, durations = aligned.frames(len(latents), codec.frame_rate)
    if len(latents) < len(symbols):
        return f"{len(symbols)} phonemes in {len(latents)} frames"
    return Units(
        example.id,
        example.speaker,
        example.language,
        example.text,
        codec.frame_rate,
        symbols,
        durations.astype(np.int32),
        latents.half().numpy(),
        codes.to(torch.int16).numpy(),
    )
