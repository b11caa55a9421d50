"""From a config file to a training run: each kind of experiment names its model, its task, its data and its steps."""

import copy
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import yaml
from torch import nn

from speechgen.config import Config, load_config, make_config, save_config
from speechgen.data.clips import Clips
from speechgen.data.images import Images
from speechgen.data.origins import summarise_corpora
from speechgen.data.shards import Example, read_shards
from speechgen.data.sound_units import SoundUnits
from speechgen.data.units import Units, read_units
from speechgen.errors import UserError, nearest
from speechgen.losses.perceptual import PerceptualLoss
from speechgen.models.generator import Generator
from speechgen.models.layers import ListenerLayers, PerceptualConfig, TransformersLayers
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.models.load import load
from speechgen.models.lora import LoRAConfig, add_lora
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import TTSConfig
from speechgen.models.wavenet import WaveNetConfig, build_wavenet
from speechgen.stages.locks import hold
from speechgen.tokenizers.codec import Codec, CodecConfig, build_codec
from speechgen.training.checkpoint import seed_everything
from speechgen.training.codec import CodecTask, CodecTraining
from speechgen.training.distil import Teacher
from speechgen.training.facts import read_facts
from speechgen.training.image_experiments import (
    IMAGE_EXPERIMENTS,
    DataConfig,
    ImageExperiment,
    build_images,
    image_generator,
)
from speechgen.training.listener import ListenerTask, ListenerTraining, spoken, with_symbols
from speechgen.training.loop import Task, train
from speechgen.training.machine import keep_memory
from speechgen.training.opponents import start_discriminators
from speechgen.training.pace import TrainConfig
from speechgen.training.sound_experiments import SOUND_EXPERIMENTS, SoundExperiment, build_sounds, sound_generator
from speechgen.training.tts import TTSTask, TTSTraining, build_tts
from speechgen.training.video_experiments import VIDEO_EXPERIMENTS, build_videos
from speechgen.training.wavenet import WaveNetTask, WaveNetTraining, with_labels


class ListenerExperiment(Config):
    kind: Literal["listener"]
    model: ListenerConfig = ListenerConfig()
    task: ListenerTask = ListenerTask()
    data: DataConfig
    training: TrainConfig


class CodecExperiment(Config):
    """``initial``: an experiment, or a model's name or folder, whose weights to start from; the discriminators kept
    there go on, too, when the task has some. Without ``model`` it is the initial one's."""

    kind: Literal["codec"]
    model: CodecConfig = CodecConfig()
    task: CodecTask = CodecTask()
    data: DataConfig
    training: TrainConfig
    initial: Path | None = None


class TTSExperiment(Config):
    """``initial``: an experiment, or a model's name or folder, to go on from; what ``model`` does not say is then the
    initial one's. With ``lora`` only adapters beside its weights are trained."""

    kind: Literal["tts"]
    model: TTSConfig = TTSConfig()
    task: TTSTask = TTSTask()
    data: DataConfig
    training: TrainConfig
    initial: Path | None = None
    lora: LoRAConfig | None = None


class WaveNetExperiment(Config):
    """``model.labels`` names the kinds of label, such as ``{pitch: []}``; the corpus fills in what there is of each."""

    kind: Literal["wavenet"]
    model: WaveNetConfig = WaveNetConfig()
    task: WaveNetTask = WaveNetTask()
    data: DataConfig
    training: TrainConfig
    initial: Path | None = None


EXPERIMENTS = {
    "listener": ListenerExperiment,
    "codec": CodecExperiment,
    "tts": TTSExperiment,
    "wavenet": WaveNetExperiment,
    **IMAGE_EXPERIMENTS,
    **VIDEO_EXPERIMENTS,
    **SOUND_EXPERIMENTS,
}


def read_experiment(path: Path, overrides: list[str]) -> Config:
    """Read an experiment of any kind; raises UserError for an unknown kind, key or value."""
    kind = None
    try:
        kind = yaml.safe_load(path.read_text(encoding="utf-8")).get("kind")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError):
        load_config(Config, path)  # says what is wrong with the file
    if str(kind) in EXPERIMENTS:
        return load_config(EXPERIMENTS[kind], path, overrides)
    raise UserError(f"{path}: kind: {kind}{nearest(str(kind), EXPERIMENTS)}")


def run_experiment(config: Config, exp: Path, device: str | None = None, until: int | None = None) -> None:
    """Train to the end, going on from the newest checkpoint in ``exp``, which afterwards holds the config used.

    Raises UserError when another run works in ``exp``, and makes no folder for what it refuses.
    """
    is_first_rank = os.environ.get("RANK", "0") == "0"
    with ExitStack() as held:
        was_there = exp.exists()
        if was_there and is_first_rank:
            held.enter_context(hold(exp / "config.yaml"))
        keep_memory()
        seed_everything(config.training.seed)
        _check_head(config)
        builders = {"listener": _listener, "codec": _codec, "tts": _tts, "wavenet": _wavenet}
        builders |= dict.fromkeys(VIDEO_EXPERIMENTS, build_videos) | dict.fromkeys(SOUND_EXPERIMENTS, build_sounds)
        build = builders.get(config.kind, build_images)
        config, task, examples = build(config)
        exp.mkdir(parents=True, exist_ok=True)  # only now, so that what is refused leaves nothing behind
        if is_first_rank and not was_there:
            held.enter_context(hold(exp / "config.yaml"))
        if is_first_rank:
            save_config(config, exp / "config.yaml")
        about = {"kind": config.kind}
        if isinstance(examples, Images | SoundUnits):
            what = {Clips: "clips", SoundUnits: "sounds"}.get(type(examples), "images")
            about[what] = {"corpus": examples.source, "count": len(examples), "labels": len(examples.names)}
        else:
            about["data"] = summarise_corpora(examples)
        if getattr(config, "initial", None) is not None:
            about["initial"] = {"name": config.initial.name, **read_facts(config.initial)}
        train(task, config.training, exp, device, until, about)


def build_generator(config: ImageExperiment | SoundExperiment) -> Generator:
    """The generator of an experiment as its training begins with it; raises UserError for one that cannot be."""
    _check_head(config)
    _, model, *_ = sound_generator(config) if config.kind == "sound" else image_generator(config)
    return model


def _check_head(config: Config) -> None:
    head = getattr(config.model, "head", None)
    if config.kind != "tts" and getattr(head, "kind", None) == "one-step":
        raise UserError("model.head: one-step learns from a trained flow, and only a tts has one to learn from")


def _listener(config: ListenerExperiment) -> tuple[ListenerExperiment, Task, list[Example]]:
    examples, dev = (_examples(dump, config.model.sample_rate) for dump in (config.data.train, config.data.dev))
    train_set = spoken(examples)
    config = config.model_copy(update={"model": with_symbols(config.model, train_set)})
    task = ListenerTraining(Listener(config.model), config.task, train_set, spoken(dev), config.training.seed)
    return config, task, examples


def _codec(config: CodecExperiment) -> tuple[CodecExperiment, Task, list[Example]]:
    config = with_initial_sizes(config)
    examples, dev = (_examples(dump, config.model.sample_rate) for dump in (config.data.train, config.data.dev))
    return config, build_codec_training(config, examples, dev), examples


def with_initial_sizes(config: CodecExperiment) -> CodecExperiment:
    """The experiment with the ``model`` of its ``initial``, where it says none of its own."""
    if config.initial is None or "model" in config.model_fields_set:
        return config
    initial = load(config.initial)
    if not isinstance(initial, Codec):
        raise UserError(f"initial: {config.initial}: is no codec")
    return config.model_copy(update={"model": initial.config})


def build_codec_training(config: CodecExperiment, examples: list[Example], dev: list[Example]) -> CodecTraining:
    """The task of a codec's experiment on these recordings; raises UserError for an ``initial`` that does not fit."""
    codec = build_codec(config.model)
    if config.initial is not None:
        _start_from(codec, config.initial)
    perceptual = _perceptual(config.task.perceptual, config.model.sample_rate)
    task = CodecTraining(codec, config.task, examples, dev, perceptual, config.training.seed)
    if config.initial is not None and config.task.adversarial.from_initial and "discriminators" in task.players:
        start_discriminators(task.players["discriminators"], config.task.adversarial.discriminators, config.initial)
    return task


def _examples(dump: Path, sample_rate: int) -> list[Example]:
    """The recordings of a dump; raises UserError when they are at another rate than the model's (Hz)."""
    examples = read_shards(dump)
    if examples and examples[0].sample_rate != sample_rate:
        rates = f"{examples[0].sample_rate} Hz, but the model has {sample_rate} Hz"
        raise UserError(f"{dump}: {rates}; dump again with --sample_rate {sample_rate}")
    return examples


def _tts(config: TTSExperiment) -> tuple[TTSExperiment, Task, list[Units]]:
    units, dev = read_units(config.data.train), read_units(config.data.dev)
    initial = load(config.initial) if config.initial is not None else None
    if initial is not None and not isinstance(initial, TokenTTS):
        raise UserError(f"initial: {config.initial}: is no TTS")
    if initial is not None:
        said = config.model.model_dump(exclude_unset=True)
        if config.model.head.kind == "one-step":  # it goes on from a flow's weights, so it has their sizes
            head = initial.config.head.model_dump(include={"width", "blocks"})
            said["head"] = head | config.model.head.model_dump(exclude_unset=True)
        config = config.model_copy(update={"model": make_config(TTSConfig, initial.config.model_dump() | said)})
    elif config.lora is not None:
        raise UserError("lora: adapts a model that has learned something; name it with initial:")
    elif config.model.head.kind == "one-step":
        raise UserError("model.head: one-step learns from a trained flow; name it with initial:")
    codec = load(config.model.codec)
    if config.model.unit == "codes":
        _check_codes(config.model, codec, units[0])
    head, anew = config.model.head, config.task.rewhiten
    if anew and (initial is None or head.kind == "one-step" or config.model.unit == "codes"):
        raise UserError("task.rewhiten: is for latents of a model that goes on from another (initial:), not one-step")
    model = build_tts(config.model, units, initial, anew)
    config = config.model_copy(update={"model": model.config})
    if config.initial is not None:
        whitening = copy.deepcopy(model.whitening)  # the initial one's, or what was measured anew
        _start_from(model, config.initial)
        model.whitening = whitening
    if config.lora is not None:
        add_lora(model, config.lora)
    teacher = None
    if head.kind == "one-step":
        teacher = Teacher(initial, head, str(config.initial))
    return config, TTSTraining(model, config.task, units, dev, codec, config.training.seed, teacher), units


def _wavenet(config: WaveNetExperiment) -> tuple[WaveNetExperiment, Task, list[Example]]:
    examples, dev = (_examples(dump, config.model.sample_rate) for dump in (config.data.train, config.data.dev))
    config = config.model_copy(update={"model": with_labels(config.model, examples)})
    model = build_wavenet(config.model)
    if config.initial is not None:
        _start_from(model, config.initial)
    return config, WaveNetTraining(model, config.task, examples, dev, config.training.seed), examples


def _check_codes(config: TTSConfig, codec: Codec, one: Units) -> None:
    """Raise UserError when the model wants other codes than there are."""
    if one.codes.shape[1] < config.codebooks:
        raise UserError(f"model.codebooks = {config.codebooks}: the units have {one.codes.shape[1]}")
    if codec.codebook_size != config.codebook_size:
        raise UserError(f"model.codebook_size = {config.codebook_size}: that of the codec is {codec.codebook_size}")


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
