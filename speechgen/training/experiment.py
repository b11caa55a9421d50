"""From a config file to a training run: each kind of experiment names its model, its task, its data and its steps."""

from pathlib import Path
from typing import Literal

import yaml
from torch import nn

from speechgen.config import Config, load_config, save_config
from speechgen.data.shards import read_shards
from speechgen.data.units import read_units
from speechgen.errors import UserError, nearest
from speechgen.losses.perceptual import ListenerLayers, PerceptualConfig, PerceptualLoss, TransformersLayers
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.models.load import load
from speechgen.models.tts import TokenTTS, TTSConfig
from speechgen.tokenizers.codec import CodecConfig, build_codec
from speechgen.training.checkpoint import seed_everything
from speechgen.training.codec import CodecTask, CodecTraining
from speechgen.training.listener import ListenerTask, ListenerTraining, spoken, with_symbols
from speechgen.training.loop import Task, TrainConfig, train
from speechgen.training.machine import keep_memory
from speechgen.training.tts import TTSTask, TTSTraining, with_corpus


class DataConfig(Config):
    """Folders that ``speechgen dump`` wrote, relative to where the recipe runs."""

    train: Path
    dev: Path


class ListenerExperiment(Config):
    kind: Literal["listener"]
    model: ListenerConfig = ListenerConfig(phonemes=[], characters=[], speakers=[])
    task: ListenerTask = ListenerTask()
    data: DataConfig
    training: TrainConfig


class CodecExperiment(Config):
    """``initial``: an experiment or model folder whose weights to start from."""

    kind: Literal["codec"]
    model: CodecConfig = CodecConfig()
    task: CodecTask = CodecTask()
    data: DataConfig
    training: TrainConfig
    initial: Path | None = None


class TTSExperiment(Config):
    kind: Literal["tts"]
    model: TTSConfig = TTSConfig()
    task: TTSTask = TTSTask()
    data: DataConfig
    training: TrainConfig
    initial: Path | None = None


EXPERIMENTS = {"listener": ListenerExperiment, "codec": CodecExperiment, "tts": TTSExperiment}


def read_experiment(path: Path, overrides: list[str]) -> Config:
    """Read an experiment of any kind; raises UserError for an unknown kind, key or value."""
    try:
        kind = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("kind")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError):
        kind = None
    if kind in EXPERIMENTS:
        return load_config(EXPERIMENTS[kind], path, overrides)
    load_config(Config, path) if not path.is_file() else None
    raise UserError(f"{path}: kind: {kind}{nearest(str(kind), EXPERIMENTS)}")


def run_experiment(config: Config, exp: Path, device: str | None = None, until: int | None = None) -> None:
    """Train to the end, going on from the newest checkpoint in ``exp``, which afterwards holds the config used."""
    exp.mkdir(parents=True, exist_ok=True)
    keep_memory()
    seed_everything(config.training.seed)
    build = {"listener": _listener, "codec": _codec, "tts": _tts}[config.kind]
    config, task = build(config)
    save_config(config, exp / "config.yaml")
    train(task, config.training, exp, device, until)


def _listener(config: ListenerExperiment) -> tuple[ListenerExperiment, Task]:
    examples, dev = spoken(read_shards(config.data.train)), spoken(read_shards(config.data.dev))
    config = config.model_copy(update={"model": with_symbols(config.model, examples)})
    return config, ListenerTraining(Listener(config.model), config.task, examples, dev, config.training.seed)


def _codec(config: CodecExperiment) -> tuple[CodecExperiment, Task]:
    codec = build_codec(config.model)
    if config.initial is not None:
        _start_from(codec, config.initial)
    examples, dev = read_shards(config.data.train), read_shards(config.data.dev)
    for example in (*examples[:1], *dev[:1]):
        if example.sample_rate != config.model.sample_rate:
            rates = f"{example.sample_rate} Hz, but the model has {config.model.sample_rate} Hz"
            raise UserError(f"{config.data.train}: {rates}; dump again")
    perceptual = _perceptual(config.task.perceptual, config.model.sample_rate)
    return config, CodecTraining(codec, config.task, examples, dev, perceptual, config.training.seed)


def _tts(config: TTSExperiment) -> tuple[TTSExperiment, Task]:
    units, dev = read_units(config.data.train), read_units(config.data.dev)
    facts = {"frame_rate": units[0].frame_rate, "unit_width": units[0].latents.shape[1]}
    config = config.model_copy(update={"model": with_corpus(config.model.model_copy(update=facts), units)})
    model = TokenTTS(config.model)
    if config.initial is not None:
        _start_from(model, config.initial)
    codec = load(config.model.codec)
    return config, TTSTraining(model, config.task, units, dev, codec, config.training.seed)


def _perceptual(config: PerceptualConfig, sample_rate: int) -> PerceptualLoss | None:
    if not config.weight:
        return None
    if config.kind == "transformers":
        return PerceptualLoss(TransformersLayers(config.model, sample_rate), config.layers)
    return PerceptualLoss(ListenerLayers(load(config.model), sample_rate), config.layers)


def _start_from(module: nn.Module, folder: Path) -> None:
    """Take over the averaged weights of a packed model or of a run; raises UserError when they do not fit."""
    weights, wanted = load(folder).state_dict(), module.state_dict()
    for name in sorted(weights.keys() | wanted.keys()):
        if name not in weights or name not in wanted or weights[name].shape != wanted[name].shape:
            raise UserError(f"initial: {folder}: tensor {name!r} does not fit the model of this config")
    module.load_state_dict(weights)
