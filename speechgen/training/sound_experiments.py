"""Experiments on sounds of one length: the generator, and the classifier that judges it."""

from pathlib import Path
from typing import Literal

from speechgen.config import Config, make_config
from speechgen.data.shards import Example, read_shards
from speechgen.data.sound_units import SoundUnits
from speechgen.errors import UserError
from speechgen.models.classifier import SoundClassifier, SoundClassifierConfig
from speechgen.models.dump_sounds import sound_labels
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.load import load, unit_fingerprint
from speechgen.tokenizers.codec import Codec
from speechgen.tokenizers.sounds import SoundsConfig
from speechgen.training.loop import Task, TrainConfig
from speechgen.training.sounds import (
    SoundClassifierTask,
    SoundClassifierTraining,
    SoundGeneratorTraining,
    SoundTask,
    labelled_waves,
)


class SoundsData(Config):
    """Folders that ``speechgen dump sounds`` wrote; of the classifier, that ``speechgen dump audio`` wrote."""

    train: Path
    dev: Path


class SoundClassifierExperiment(Config):
    kind: Literal["sound-classifier"]
    model: SoundClassifierConfig = SoundClassifierConfig()
    task: SoundClassifierTask = SoundClassifierTask()
    data: SoundsData
    training: TrainConfig


class SoundExperiment(Config):
    """``tokenizer``: name or folder of the codec that the sounds were dumped with, which becomes part of the model."""

    kind: Literal["sound"]
    model: GeneratorConfig = GeneratorConfig(kind="sound", tokenizer=SoundsConfig())
    task: SoundTask = SoundTask()
    data: SoundsData
    training: TrainConfig
    tokenizer: Path = Path("speech-16k")


SOUND_EXPERIMENTS = {"sound": SoundExperiment, "sound-classifier": SoundClassifierExperiment}


def build_sounds(config: Config) -> tuple[Config, Task, SoundUnits | list[Example]]:
    """The experiment with what the data fills in, its task, and the training sounds.

    Raises UserError for sounds that do not fit the model, or come from another codec than its.
    """
    if config.kind == "sound-classifier":
        return _classifier(config)
    config, model, train_set, dev = sound_generator(config)
    return config, SoundGeneratorTraining(model, config.task, train_set, dev, config.training.seed), train_set


def sound_generator(config: SoundExperiment) -> tuple[SoundExperiment, Generator, SoundUnits, SoundUnits]:
    """The experiment with what the data fills in, its model with its codec, and the training and dev sounds.

    Raises UserError as ``build_sounds``, and for a unit, an order and a head that cannot work together.
    """
    train_set, dev = SoundUnits.read(config.data.train), SoundUnits.read(config.data.dev)
    codec = load(config.tokenizer)
    if not isinstance(codec, Codec):
        raise UserError(f"tokenizer: {config.tokenizer}: is no codec of sounds")
    for data, place in ((train_set, config.data.train), (dev, config.data.dev)):
        if data.codec != unit_fingerprint(codec):
            raise UserError(f"{place}: made by another codec than {config.tokenizer.name}; dump the sounds again")
    frames, found = train_set.latents.shape[1], dev.latents.shape[1]
    if found != frames:
        lengths = f"sounds of {found} frames, but those of training have {frames}"
        raise UserError(f"{config.data.dev}: {lengths}; dump both with the same --seconds")
    if not isinstance(config.model.tokenizer, SoundsConfig):
        raise UserError("model.tokenizer: sounds are made of a codec's units; use tokenizer: {kind: sounds}")
    said = config.model.tokenizer.model_dump(exclude_unset=True)
    sizes = {**said, "kind": "sounds", "codec": codec.config, "frames": frames}
    changes = {"kind": "sound", "labels": train_set.names, "guidance": config.task.unknown > 0}
    changes["tokenizer"] = make_config(SoundsConfig, sizes, "model.tokenizer")
    config = config.model_copy(update={"model": config.model.model_copy(update=changes)})
    model = Generator(config.model)
    model.tokenizer.codec.load_state_dict(codec.state_dict())
    return config, model, train_set, dev.with_names(train_set.names)


def _classifier(config: SoundClassifierExperiment) -> tuple[SoundClassifierExperiment, Task, list[Example]]:
    parts = [read_shards(dump) for dump in (config.data.train, config.data.dev)]
    rate = config.model.sample_rate
    for dump, examples in zip((config.data.train, config.data.dev), parts, strict=True):
        if any(example.sample_rate != rate for example in examples):
            raise UserError(f"{dump}: is not at the model's {rate} Hz; dump again with --sample_rate {rate}")
    labels = [sound_labels(examples, config.task.label) for examples in parts]
    names = sorted(set(labels[0]))
    config = config.model_copy(update={"model": config.model.model_copy(update={"labels": names})})
    sets = [labelled_waves(*part, names, config.model.samples) for part in zip(parts, labels, strict=True)]
    task = SoundClassifierTraining(SoundClassifier(config.model), config.task, *sets, config.training.seed)
    return config, task, parts[0]
