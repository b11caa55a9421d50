"""Generation with a WaveNet: waves in chunks, and how well a way of generating predicts a recording."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.models.wavenet import WaveNet
from speechgen.models.wavenet_engines import METHODS, Engine, make_engine

__all__ = ["METHODS", "bits_per_sample", "condition_of", "generate", "make_engine"]
LONGEST_SECONDS = 3600
MOST_STREAMS = 1024

Labels = dict[str, str] | dict[str, Tensor]


def generate(
    model: WaveNet,
    samples: int,
    labels: Labels | None = None,
    mel: Tensor | None = None,
    streams: int = 1,
    method: str = "fastest",
    temperature: float = 1.0,
    seed: int = 0,
    chunk: int | None = None,
) -> Iterator[Tensor]:
    """Make so many samples, in chunks (streams, up to ``chunk``) of waves in [-1, 1] that are yielded as they are made.

    labels: names, the same for all streams, or ids (streams,). mel: (bands, frames) or (streams, bands, frames), of
    at least ``samples / hop`` frames. ``streams`` are made together; stream i is what seed + i makes alone. ``method``:
    one of METHODS, or "fastest" for the best this machine has; all but bf16 and int8 make the same samples. chunk: a
    tenth of a second unless given. Raises UserError, before anything is made, for what cannot be made.
    """
    rate = model.config.sample_rate
    if samples < 1:
        raise UserError(f"{samples} samples: ask for at least one")
    if samples > LONGEST_SECONDS * rate:
        raise UserError(f"{samples / rate:.0f} s: at most {LONGEST_SECONDS} s are made at once")
    if not 1 <= streams <= MOST_STREAMS:
        raise UserError(f"{streams} streams: ask for 1 to {MOST_STREAMS}")
    if not 0 <= temperature < math.inf:
        raise UserError(f"temperature {temperature}: must be 0 or more")
    condition = condition_of(model, labels, mel, streams, samples)
    if mel is not None and condition.shape[-1] * model.condition.hold < samples:
        seconds = condition.shape[-1] * model.condition.hold / rate
        raise UserError(f"the mel lasts {seconds:.2f} s, shorter than the {samples / rate:.2f} s asked for")
    engine = make_engine(model, condition, streams, method, temperature)
    return _chunks(model, engine, samples, streams, seed, chunk or max(1, rate // 10))


@torch.no_grad()
def bits_per_sample(
    model: WaveNet,
    wave: Tensor,
    labels: Labels | None = None,
    mel: Tensor | None = None,
    method: str = "compiled-f32",
) -> float:
    """How well a method, its weights rounded or not, predicts waves (T,) or (streams, T): in bits per sample."""
    wave = wave.reshape(-1, wave.shape[-1])
    if model.config.mel and mel is None:
        mel = model.mel_of(wave)
    codes = model.tokenizer.encode(wave)
    engine = make_engine(model, condition_of(model, labels, mel, len(wave), wave.shape[1]), len(wave), method)
    nats = [-model.head.log_probability_of(engine.force(part), part) for part in codes.split(16000, dim=1)]
    return torch.cat(nats, dim=1).double().mean().item() / math.log(2)


@torch.no_grad()
def condition_of(
    model: WaveNet, labels: Labels | None, mel: Tensor | None, streams: int, samples: int
) -> Tensor | None:
    """Labels by name or by id, a mel for one or all streams, and how long, as the condition (streams, C, frames)."""
    names = {kind: name for kind, name in (labels or {}).items() if isinstance(name, str)}
    ids = {kind: value for kind, value in (labels or {}).items() if kind not in names} | model.label_ids(names)
    if mel is not None and mel.dim() == 2:
        mel = mel.unsqueeze(0)
    condition = model.condition(ids, mel, model.condition.times(samples))
    if condition is None:
        return None
    if condition.shape[0] not in (1, streams):
        raise UserError(f"conditions for {condition.shape[0]} streams, but {streams} are asked for")
    return condition.expand(streams, -1, -1)


def _chunks(model: WaveNet, engine: Engine, samples: int, streams: int, seed: int, chunk: int) -> Iterator[Tensor]:
    generators = [torch.Generator().manual_seed(seed + stream) for stream in range(streams)]
    for start in range(0, samples, chunk):
        size = min(chunk, samples - start)
        draws = [torch.rand(size, generator=generator, dtype=torch.float64) for generator in generators]
        yield model.tokenizer.decode(engine.advance(torch.stack(draws)))
