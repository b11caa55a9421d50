"""How the codec of images is trained: a ``CodecGame`` on whole images."""

import torch
from torch import Tensor, nn

from speechgen.data.images import Images
from speechgen.losses.patches import PatchConfig, PatchDiscriminators
from speechgen.losses.perceptual import PerceptualLoss
from speechgen.losses.surface import ValuesConfig, ValuesLoss
from speechgen.tokenizers.images import ImageCodec
from speechgen.training.game import AdversarialConfig, CodecGame, GameTask
from speechgen.training.images import AT_ONCE, ImageBatch, ImageTask, ImageTraining, sheet
from speechgen.training.loop import Shown


class PatchAdversarialConfig(AdversarialConfig):
    discriminators: PatchConfig = PatchConfig()


class ImageCodecTask(ImageTask, GameTask):
    """A perceptual loss wants ``perceptual: {kind: classifier, model: FOLDER, layers: [0, 1, 2]}``."""

    surface: ValuesConfig = ValuesConfig()
    adversarial: PatchAdversarialConfig = PatchAdversarialConfig()


class ImageCodecTraining(CodecGame, ImageTraining):
    """The codec of images as the loop sees it."""

    name, opponent = "image-codec", "discriminator"

    def __init__(
        self,
        codec: ImageCodec,
        task: ImageCodecTask,
        train: Images,
        dev: Images,
        perceptual: PerceptualLoss | None = None,
        seed: int = 0,
    ) -> None:
        ImageTraining.__init__(self, codec, task, train, dev, seed)
        channels, sizes = codec.config.channels, task.adversarial.discriminators
        CodecGame.__init__(
            self, codec, task, ValuesLoss(task.surface), perceptual, lambda: PatchDiscriminators(sizes, channels)
        )

    def turns(self, step: int) -> list[str]:
        return CodecGame.turns(self, step)

    def losses(self, player, batch: ImageBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        return CodecGame.losses(self, player, batch.values, step, generator)

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """How near decoded images are to the originals, and some of both."""
        codec = models[self.name].eval()
        images = self.dev.to(generator.device)
        again = torch.cat([codec.decode(codec.encode(part)) for part in images.split(AT_ONCE)])
        shown = images[: self.task.shown], again[: self.task.shown]
        pictures = {"recorded_and_decoded": sheet(torch.cat(shown), max(1, self.task.shown))} if self.task.shown else {}
        return Shown(self.similarity(again, images), pictures=pictures)
