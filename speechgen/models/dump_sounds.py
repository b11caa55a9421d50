"""From audio dumps to dumps of sounds of one length: the codec's latents, once per recording."""

from collections.abc import Callable

import numpy as np
import torch

from speechgen.audio.lengths import fitted
from speechgen.audio.resample import resample
from speechgen.data.labels import labels_of
from speechgen.data.origins import corpus_of
from speechgen.data.shards import Example
from speechgen.data.sound_units import SoundUnits
from speechgen.errors import UserError, nearest
from speechgen.models.load import unit_fingerprint
from speechgen.tokenizers.codec import Codec


def sound_labels(examples: list[Example], kind: str) -> list[str]:
    """Each recording's text, where ``kind`` is text, or its label of that kind; raises UserError for one without."""
    made = []
    for example in examples:
        known = {**labels_of(example), "text": example.text}
        if not known.get(kind):
            raise UserError(f"{example.id}: has no label {kind!r}{nearest(kind, known)}")
        made.append(known[kind])
    return made


@torch.no_grad()
def dump_sounds(
    codec: Codec, examples: list[Example], seconds: float, label: str, on_done: Callable[[], None] = lambda: None
) -> SoundUnits:
    """All recordings at a length of at least so many seconds, a whole number of frames; the labels are of this kind.
    Raises UserError for a model that is no codec, and for a recording without such a label."""
    if not isinstance(codec, Codec):
        raise UserError("--codec: is no codec; give the name or folder of one")
    labels = sound_labels(examples, label)
    names = sorted(set(labels))
    frames = -(-round(seconds * codec.sample_rate) // codec.hop)
    latents, real = [], []
    for example in examples:
        wave = resample(
            torch.from_numpy(example.audio.astype(np.float32) / 32768), example.sample_rate, codec.sample_rate
        )
        wave = fitted(wave, codec.sample_rate, frames * codec.hop)
        latents.append(codec.latents(wave[None, None])[0].half().numpy())
        real.append(min(frames, -(-round(example.seconds * codec.sample_rate) // codec.hop)))
        on_done()
    numbers = np.array([names.index(one) for one in labels], np.int64)
    source = corpus_of(examples[0].speaker) or "own recordings"
    return SoundUnits(np.stack(latents), np.array(real), numbers, names, unit_fingerprint(codec), source)
