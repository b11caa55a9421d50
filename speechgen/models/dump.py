"""From audio dumps to unit dumps: the codec's latents and codes, and the listener's alignment, once per utterance."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from speechgen.audio.resample import resample
from speechgen.data.shards import Example
from speechgen.data.units import Units
from speechgen.errors import UserError
from speechgen.models.align import align
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
) -> Iterator[Units]:
    """Units of each example that can be aligned; ``on_skip(id, reason)`` for the others."""
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
        own_rate = resample(wave, example.sample_rate, codec.sample_rate)[None, None]
        latents = codec.latents(own_rate)
        codes = codec.quantise(latents).values[0].T if codec.codebooks else torch.zeros(latents.shape[1], 0)
        latents = latents[0]
        _, durations = aligned.frames(len(latents), codec.frame_rate)
        if len(latents) < len(symbols):
            on_skip(example.id, f"{len(symbols)} phonemes in {len(latents)} frames")
            continue
        yield Units(
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
