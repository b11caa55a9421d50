"""Bits per sample: how surprised a model is at recordings it never heard, beside baselines that know less.

A system is named by plain values, so that worker processes can make it: {"kind": "wavenet", "model": FOLDER},
{"kind": "ngram", "order": 3, "most": 4, "train": DUMP, "classes": 256}, {"kind": "uniform", "classes": 256}.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.files import AudioError, read_audio
from speechgen.data.shards import DONE, iterate_shards
from speechgen.errors import UserError
from speechgen.evaluation.logs import score_items, stamp_of
from speechgen.evaluation.ngram import NGram
from speechgen.evaluation.statistics import ratio_estimate
from speechgen.models.load import fingerprint, load
from speechgen.models.wavenet import WaveNet
from speechgen.tokenizers.mulaw import MuLaw


@dataclass(frozen=True)
class Heard:
    """A recording, its labels, and the system that is to guess it sample by sample; ``made_of`` names its weights."""

    recording: Path
    labels: tuple[tuple[str, str], ...]
    system: tuple[tuple[str, object], ...]
    made_of: str

    def stamp(self) -> str:
        return f"{self.made_of} {dict(self.system)} {dict(self.labels)} {stamp_of(self.recording)}"


def score_bits(
    folder: Path,
    systems: dict[str, dict],
    recordings: dict[str, Path],
    labels: dict[str, dict[str, str]],
    jobs: int = 1,
    on_recording: Callable[[], None] = lambda: None,
) -> list[dict]:
    """A line a system: ``name``, ``n``, ``failed`` and ``bits`` per sample (an estimate over recordings, or None).

    Scores of unchanged recordings and systems are taken from ``folder``.
    """
    lines = []
    for name, system in systems.items():
        described, made_of = tuple(system.items()), _made_of(system)
        items = {
            one: Heard(path, tuple(labels.get(one, {}).items()), described, made_of) for one, path in recordings.items()
        }
        scores, failed = score_items(folder / name, items, surprise, jobs, on_recording)
        bits = None
        if scores:
            nats, samples = zip(*((one["nats"], one["samples"]) for one in scores.values()))
            bits = ratio_estimate([value / math.log(2) for value in nats], samples).to_json()
        lines.append({"name": name, "n": len(scores), "failed": len(failed), "bits": bits})
    return lines


def surprise(heard: Heard) -> dict[str, float] | str:
    """Nats that a recording takes, and its samples; or why that cannot be said."""
    system = dict(heard.system)
    try:
        wave, rate = read_audio(heard.recording)
        match system["kind"]:
            case "wavenet":
                model = load_wavenet(system["model"])
                if rate != model.config.sample_rate:
                    return f"{rate} Hz, but the model has {model.config.sample_rate} Hz"
                nats = wavenet_nats(model, wave, dict(heard.labels))
            case "ngram":
                ngram = _ngram(system["most"], system["train"], system["classes"])
                nats = ngram.nats(MuLaw(system["classes"]).encode(wave).numpy(), system["order"])
            case _:
                nats = len(wave) * math.log(system["classes"])
    except AudioError as error:
        return str(error)
    return {"nats": nats, "samples": len(wave)}


@torch.inference_mode()
def wavenet_nats(model: WaveNet, wave: Tensor, labels: dict[str, str]) -> float:
    """Negative log-likelihood of a recording (T,) in nats, summed, from its first sample on."""
    loss, _ = model.losses(wave[None], model.label_ids(labels))
    return loss.item() * len(wave)


@lru_cache(maxsize=4)
def load_wavenet(model: str) -> WaveNet:
    """A WaveNet by name or folder; raises UserError for a model of another kind."""
    module = load(model)
    if not isinstance(module, WaveNet):
        raise UserError(f"{model}: is no WaveNet; give the name or folder of one")
    return module


@lru_cache(maxsize=1)
def _ngram(order: int, train: str, classes: int) -> NGram:
    """N-grams of a dump's mu-law codes, counted once in each process."""
    tokenizer = MuLaw(classes)
    waves = (torch.from_numpy(example.audio.astype(np.float32) / 32768) for example in iterate_shards(train))
    return NGram(order, classes).fit([tokenizer.encode(wave).numpy() for wave in waves], tokenizer.silence)


def _made_of(system: dict) -> str:
    """What changes when the system does: a model's weights, a dump's done-mark."""
    if system["kind"] == "wavenet":
        return fingerprint(load_wavenet(system["model"]))
    return stamp_of(Path(system["train"]) / DONE) if system["kind"] == "ngram" else ""
