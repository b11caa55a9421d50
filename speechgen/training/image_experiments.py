"""Experiments on images: what a config of each kind holds, and the model and the task that it becomes."""

from pathlib import Path
from typing import Literal

from torch import nn

from speechgen.config import Config
from speechgen.data.images import Images
from speechgen.errors import UserError
from speechgen.losses.perceptual import PerceptualLoss
from speechgen.models.classifier import ImageClassifier, ImageClassifierConfig
from speechgen.models.clip import Clip, ClipConfig
from speechgen.models.gan import ImageGAN, ImageGANConfig
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.layers import ClassifierLayers, PerceptualConfig
from speechgen.models.load import load
from speechgen.models.normalizing_flow import ImageFlow, ImageFlowConfig
from speechgen.models.vae import ImageVAE, ImageVAEConfig
from speechgen.text.words import words_of
from speechgen.tokenizers.images import ImageCodec, ImageCodecConfig
from speechgen.training.clip import ClipTraining
from speechgen.training.image_codec import ImageCodecTask, ImageCodecTraining
from speechgen.training.images import ClassifierTraining, GeneratorTraining, ImageTask
from speechgen.training.loop import Task, TrainConfig
from speechgen.training.one_shot import GANTraining, OneShotTask, OneShotTraining


class DataConfig(Config):
    """Folders that ``speechgen dump`` wrote, relative to where the recipe runs."""

    train: Path
    dev: Path


class ImageDataExperiment(Config):
    """What experiments on images have in common."""

    data: DataConfig
    training: TrainConfig


class ImageCodecExperiment(ImageDataExperiment):
    kind: Literal["image-codec"]
    model: ImageCodecConfig = ImageCodecConfig()
    task: ImageCodecTask = ImageCodecTask()


class ImageClassifierExperiment(ImageDataExperiment):
    kind: Literal["image-classifier"]
    model: ImageClassifierConfig = ImageClassifierConfig()
    task: ImageTask = ImageTask()


class ClipExperiment(ImageDataExperiment):
    kind: Literal["image-clip"]
    model: ClipConfig = ClipConfig()
    task: ImageTask = ImageTask()


class ImageExperiment(ImageDataExperiment):
    """``tokenizer``: an experiment, or a model's name or folder, whose image codec becomes part of the model."""

    kind: Literal["image"]
    model: GeneratorConfig = GeneratorConfig()
    task: ImageTask = ImageTask()
    tokenizer: Path | None = None


class ImageVAEExperiment(ImageDataExperiment):
    kind: Literal["image-vae"]
    model: ImageVAEConfig = ImageVAEConfig()
    task: OneShotTask = OneShotTask()


class ImageGANExperiment(ImageDataExperiment):
    kind: Literal["image-gan"]
    model: ImageGANConfig = ImageGANConfig()
    task: OneShotTask = OneShotTask()


class ImageFlowExperiment(ImageDataExperiment):
    kind: Literal["image-flow"]
    model: ImageFlowConfig = ImageFlowConfig()
    task: OneShotTask = OneShotTask()


IMAGE_EXPERIMENTS = {
    "image-clip": ClipExperiment,
    "image": ImageExperiment,
    "image-codec": ImageCodecExperiment,
    "image-classifier": ImageClassifierExperiment,
    "image-vae": ImageVAEExperiment,
    "image-gan": ImageGANExperiment,
    "image-flow": ImageFlowExperiment,
}
LONE = {
    "image-clip": (Clip, ClipTraining),
    "image-classifier": (ImageClassifier, ClassifierTraining),
    "image-vae": (ImageVAE, OneShotTraining),
    "image-gan": (ImageGAN, GANTraining),
    "image-flow": (ImageFlow, OneShotTraining),
}


def build_images(config: ImageDataExperiment) -> tuple[Config, Task, Images]:
    """The experiment with what the data fills in, its task, and the training images.

    Raises UserError for images that do not fit the model, and a tokenizer that is none.
    """
    if config.kind == "image":
        config, model, train_set, dev = image_generator(config)
        return config, GeneratorTraining(model, config.task, train_set, dev, config.training.seed), train_set
    config, train_set, dev = _with_data(config)
    sets, seed = (config.task, train_set, dev), config.training.seed
    if config.kind == "image-codec":
        perceptual = _perceptual(config.task.perceptual)
        return config, ImageCodecTraining(ImageCodec(config.model), *sets, perceptual, seed), train_set
    model, task = LONE[config.kind]
    return config, task(model(config.model), *sets, seed), train_set


def image_generator(config: ImageExperiment) -> tuple[ImageExperiment, Generator, Images, Images]:
    """The experiment with what the data fills in, its model with its tokenizer, and the training and dev images.

    Raises UserError as ``build_images``, and for a unit, an order and a head that cannot work together.
    """
    codec = _tokenizer(config)
    config, train_set, dev = _with_data(config, codec)
    model = Generator(config.model)
    if codec is not None:
        model.tokenizer.load_state_dict(codec.state_dict())
    return config, model, train_set, dev


def _with_data(
    config: ImageDataExperiment, codec: ImageCodec | None = None
) -> tuple[ImageDataExperiment, Images, Images]:
    train_set, dev = Images.read(config.data.train), Images.read(config.data.dev)
    config = config.model_copy(update={"model": config.model.model_copy(update=_from_data(config, train_set, codec))})
    sizes = config.model.tokenizer if config.kind == "image" else config.model
    check_sizes({config.data.train: train_set, config.data.dev: dev}, (sizes.side, sizes.side, sizes.channels))
    return config, train_set, dev


def check_sizes(sets: dict[Path, Images], wanted: tuple[int, ...]) -> None:
    """Raises UserError for a folder whose images, or clips, are of another size, as in side, side, channels."""
    for place, images in sets.items():
        if images.pixels.shape[1:] != wanted:
            found, size = ("x".join(map(str, sides)) for sides in (images.pixels.shape[1:], wanted))
            raise UserError(
                f"{place}: {Path(images.FILE).stem} of {found}, but the model has {size}; dump them at its size"
            )


def _from_data(config: ImageDataExperiment, images: Images, codec: ImageCodec | None) -> dict:
    """Keys of the model's config that the data, or the tokenizer, decides."""
    if config.kind == "image-codec":
        return {}
    captions = config.kind == "image-clip" or getattr(config.model, "captions", False)
    words = sorted({word for name in images.names for word in words_of(name)})
    changes: dict = {"labels": words if captions else images.names}
    if config.kind == "image":
        changes["guidance"] = config.task.unknown > 0
    return changes if codec is None else {**changes, "tokenizer": codec.config}


def _tokenizer(config: ImageExperiment) -> ImageCodec | None:
    if config.tokenizer is None:
        return None
    codec = load(config.tokenizer)
    if not isinstance(codec, ImageCodec):
        raise UserError(f"tokenizer: {config.tokenizer}: is no image codec")
    return codec


def _perceptual(config: PerceptualConfig) -> PerceptualLoss | None:
    if not config.weight:
        return None
    judge: nn.Module = load(config.model)
    if not isinstance(judge, ImageClassifier):
        raise UserError(f"task.perceptual.model: {config.model}: is no classifier of images")
    if max(config.layers) >= len(judge.encoder.layers):
        raise UserError(f"task.perceptual.layers: the classifier has layers 0 to {len(judge.encoder.layers) - 1}")
    return PerceptualLoss(ClassifierLayers(judge), config.layers)
