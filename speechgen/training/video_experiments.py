"""Experiments on clips: codec, classifier and generator, trained like those of images."""

from pathlib import Path
from typing import Literal

from speechgen.config import Config
from speechgen.data.clips import Clips
from speechgen.errors import UserError
from speechgen.models.classifier import VideoClassifier, VideoClassifierConfig
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.load import load
from speechgen.tokenizers.videos import VideoCodec, VideoCodecConfig
from speechgen.training.image_codec import ImageCodecTask, ImageCodecTraining
from speechgen.training.image_experiments import check_sizes
from speechgen.training.images import ClassifierTraining, GeneratorTraining, ImageTask
from speechgen.training.loop import Task, TrainConfig


class ClipsConfig(Config):
    """Folders that ``speechgen dump clips`` wrote, relative to where the recipe runs."""

    train: Path
    dev: Path


class VideoCodecExperiment(Config):
    kind: Literal["video-codec"]
    model: VideoCodecConfig = VideoCodecConfig()
    task: ImageCodecTask = ImageCodecTask(shown=4)
    data: ClipsConfig
    training: TrainConfig


class VideoClassifierExperiment(Config):
    kind: Literal["video-classifier"]
    model: VideoClassifierConfig = VideoClassifierConfig()
    task: ImageTask = ImageTask()
    data: ClipsConfig
    training: TrainConfig


class VideoExperiment(Config):
    """``tokenizer``: an experiment, or a model's name or folder, whose video codec becomes part of the model."""

    kind: Literal["video"]
    model: GeneratorConfig = GeneratorConfig(kind="video")
    task: ImageTask = ImageTask(shown=4)
    data: ClipsConfig
    training: TrainConfig
    tokenizer: Path | None = None


class VideoCodecTraining(ImageCodecTraining):
    name = "video-codec"


class VideoClassifierTraining(ClassifierTraining):
    name = "video-classifier"


class VideoTraining(GeneratorTraining):
    name = "video"


VIDEO_EXPERIMENTS = {
    "video": VideoExperiment,
    "video-codec": VideoCodecExperiment,
    "video-classifier": VideoClassifierExperiment,
}
PARTS = {
    "video": (Generator, VideoTraining),
    "video-codec": (VideoCodec, VideoCodecTraining),
    "video-classifier": (VideoClassifier, VideoClassifierTraining),
}


def build_videos(config: Config) -> tuple[Config, Task, Clips]:
    """The experiment with what the data fills in, its task, and the training clips.

    Raises UserError for clips that do not fit the model, and for a tokenizer that is none.
    """
    train_set, dev = Clips.read(config.data.train), Clips.read(config.data.dev)
    changes: dict = {} if config.kind == "video-codec" else {"labels": train_set.names}
    codec = None
    if config.kind == "video":
        changes |= {"kind": "video", "guidance": config.task.unknown > 0}
        codec = load(config.tokenizer) if config.tokenizer is not None else None
    if codec is not None:
        if not isinstance(codec, VideoCodec):
            raise UserError(f"tokenizer: {config.tokenizer}: is no video codec")
        changes["tokenizer"] = codec.config
    config = config.model_copy(update={"model": config.model.model_copy(update=changes)})
    sizes = config.model.tokenizer if config.kind == "video" else config.model
    wanted = (getattr(sizes, "frames", 0), sizes.side, sizes.side, sizes.channels)
    check_sizes({config.data.train: train_set, config.data.dev: dev}, wanted)
    if config.kind == "video-codec" and (config.task.adversarial.adversarial or config.task.perceptual.weight):
        raise UserError("task: adversarial and perceptual losses look at images; leave them out for a codec of clips")
    build, task = PARTS[config.kind]
    model = build(config.model)
    if codec is not None:
        model.tokenizer.load_state_dict(codec.state_dict())
    return config, task(model, config.task, train_set, dev, seed=config.training.seed), train_set
