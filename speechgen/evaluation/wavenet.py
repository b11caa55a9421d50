"""A WaveNet's evaluation: the test set made anew, how surprised the model is at it, and how it sounds.

Told labels, a model makes another sound of the same kind as each recording; told a spectrogram, the recording itself,
which is then scored beside Griffin-Lim and a codec. DIR/generate.json says what ran on what, as for codecs.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from speechgen.audio.files import AudioError, write_audio
from speechgen.data.labels import chosen_labels
from speechgen.data.shards import read_done
from speechgen.errors import UserError
from speechgen.evaluation.baselines import System
from speechgen.evaluation.bits import load_wavenet, score_bits
from speechgen.evaluation.coding import model_name
from speechgen.evaluation.generate import SUMMARY, code_all
from speechgen.evaluation.logs import GENERATED, GenerationLog, read_json, write_json
from speechgen.evaluation.recordings import Recordings
from speechgen.evaluation.score import REPORT, score_all
from speechgen.models.load import fingerprint
from speechgen.models.wavenet import WaveNet
from speechgen.models.wavenet_generate import generate

METRICS = ["pesq_wb", "stoi", "mel"]
MOST_CODES = 4  # of an n-gram
BITS_IN_A_KEY = 62


def generate_set(
    model: str,
    recordings: Recordings,
    out: str | Path,
    others: list[System],
    bits: dict[str, dict],
    facts: dict | None = None,
    drawing: dict | None = None,
    on_recording: Callable[[], None] = lambda: None,
) -> None:
    """Make every recording anew, by a model told its labels or its spectrogram, and in the latter case by ``others``.

    ``bits``: systems for ``score_bits``, kept for the score stage; ``drawing``: method and temperature.
    What is already there and unchanged is kept. Raises UserError for a recording without a label that the model has.
    """
    out, network = Path(out), load_wavenet(model)
    name, rate, drawing = model_name(model), network.config.sample_rate, drawing or {}
    labels = {one: chosen_labels(u, network.config.labels) for one, u in recordings.utterances.items()}
    for chosen in labels.values():
        network.label_ids(chosen)
    if network.config.mel:
        from speechgen.evaluation.vocoders import WaveNetVocoder

        code_all(recordings, [WaveNetVocoder(name, network, **drawing), *others], out, rate, facts, on_recording)
        summary = read_json(out / SUMMARY)
    else:
        code_all(recordings, [], out, rate, facts, on_recording)
        _make_alike(network, name, recordings, labels, out, drawing, on_recording)
        summary = read_json(out / SUMMARY)
        summary["systems"].append(name)
    # Where these lie matters to the score stage only, which may be called from elsewhere.
    absolute = {key: {**system, **_absolute(system)} for key, system in bits.items()}
    write_json(out / SUMMARY, {**summary, "labels": labels, "bits": absolute, "mel": bool(network.config.mel)})


def bit_systems(model: str, baseline: str | None, train: str | Path | None) -> dict[str, dict]:
    """The model and what it is compared with: a baseline model, n-grams of a training dump, and no knowledge at all.

    Raises UserError for a baseline of other classes or rate, and for a dump that is not finished.
    """
    config = load_wavenet(model).config
    systems: dict[str, dict] = {model_name(model): {"kind": "wavenet", "model": model}}
    if baseline:
        other = load_wavenet(baseline).config
        if (other.classes, other.sample_rate) != (config.classes, config.sample_rate):
            raise UserError(
                f"{baseline}: has other classes or another rate than {model}; their bits cannot be compared"
            )
        layers = "1 layer" if other.layers == 1 else f"{other.layers} layers"
        systems[f"{layers} of the same width"] = {"kind": "wavenet", "model": baseline}
    if train:
        if (rate := read_done(train)["sample_rate"]) != config.sample_rate:
            raise UserError(f"{train}: {rate} Hz, but the model has {config.sample_rate} Hz; dump again")
        most = min(MOST_CODES, int(BITS_IN_A_KEY / (config.classes - 1).bit_length()))
        for order in range(most, 0, -1):
            ngram = {"kind": "ngram", "order": order, "most": most, "train": str(train), "classes": config.classes}
            systems[f"{order}-gram of codes"] = ngram
    return systems | {"uniform": {"kind": "uniform", "classes": config.classes}}


def score_set(
    folder: str | Path, metrics: list[str] | None = None, jobs: int = 1, on_item: Callable[[], None] = lambda: None
) -> dict:
    """Score what ``generate_set`` made: bits per sample, and for a vocoder metrics; writes and returns the report."""
    folder = Path(folder)
    summary = read_json(folder / SUMMARY)
    recorded = read_json(folder / "recording" / GENERATED)
    made = {one: folder / "recording" / f"{one}.wav" for one in recorded["utterances"]}
    bits = score_bits(folder / "bits", summary["bits"], made, summary["labels"], jobs, on_item)
    if summary["mel"]:
        report = score_all(folder, metrics or METRICS, jobs, on_item)
    else:
        seconds = sum(entry["seconds"] for entry in recorded["utterances"].values())
        facts = {key: summary[key] for key in ("source", "sample_rate", "facts")}
        log = read_json(folder / summary["systems"][-1] / GENERATED)["utterances"].values()
        speed = sum(one["seconds"] for one in log) / max(1e-9, sum(one["compute_seconds"] for one in log))
        report = {**facts, "seconds": seconds, "metrics": [], "systems": [], "x_real_time": speed}
    report["bits"] = bits
    write_json(folder / REPORT, report)
    return report


def count_items(folder: str | Path) -> int:
    """How many times ``score_set`` calls ``on_item``."""
    summary = read_json(Path(folder) / SUMMARY)
    systems = len(summary["bits"]) + (len(summary["systems"]) if summary["mel"] else 0)
    return systems * len(summary["utterances"])


def _make_alike(
    network: WaveNet,
    name: str,
    recordings: Recordings,
    labels: dict[str, dict[str, str]],
    out: Path,
    drawing: dict,
    on_recording: Callable[[], None],
) -> None:
    """As long a sound as each recording, with its labels; each by a seed of its own."""
    rate = network.config.sample_rate
    recorded = read_json(out / "recording" / GENERATED)["utterances"]
    log = GenerationLog(out / name, {"system": {"weights": fingerprint(network), **drawing}, "sample_rate": rate})
    for seed, one in enumerate(recordings.utterances):
        stamp = f"{recordings.stamp(one)} {labels[one]} seed {seed}"
        if one in recorded and not log.is_done(one, stamp):
            began, samples = time.perf_counter(), max(1, round(recorded[one]["seconds"] * rate))
            try:
                chunks = generate(network, samples, labels[one], seed=seed, **drawing)
                write_audio(log.audio(one), torch.cat(list(chunks), dim=1)[0], rate)
            except AudioError as error:
                log.fail(one, str(error))
            else:
                took = round(time.perf_counter() - began, 4)
                log.done(one, stamp, {"bytes": 0, "seconds": samples / rate, "compute_seconds": took})
        on_recording()


def _absolute(system: dict) -> dict:
    paths = {key: Path(system[key]) for key in ("model", "train") if key in system}
    return {key: str(path.resolve()) for key, path in paths.items() if path.is_dir()}
