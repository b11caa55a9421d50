"""How one-shot generators of images are trained: alone, or against a discriminator."""

import torch
from torch import Tensor, nn

from speechgen.data.images import Images
from speechgen.losses.adversarial import AdversarialKind, discriminator_losses, generator_losses
from speechgen.losses.patches import PatchConfig, PatchDiscriminators
from speechgen.models.gan import ImageGAN
from speechgen.models.one_shot import OneShot
from speechgen.training.images import AT_ONCE, ImageBatch, ImageTask, ImageTraining, sheet
from speechgen.training.loop import Shown


class OneShotTask(ImageTask):
    """``adversarial`` and ``discriminator`` are for a GAN: its kind of loss, and the size of its opponent, whose
    learning rate is ``discriminator_rate`` times the generator's."""

    adversarial: AdversarialKind = "hinge"
    discriminator: PatchConfig = PatchConfig()
    discriminator_rate: float = 1.0


class OneShotTraining(ImageTraining):
    """A model with a loss of its own."""

    model: OneShot

    def __init__(self, model: OneShot, task: OneShotTask, train: Images, dev: Images, seed: int = 0) -> None:
        self.name = model.config.kind
        super().__init__(model, task, train, dev, seed)

    def losses(self, player, batch: ImageBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        return self.model.losses(batch.values, batch.labels, generator)

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """Its loss on held-out images, and images of the labels of some of them."""
        model = models[self.name].eval()
        draw = torch.Generator(generator.device).manual_seed(self.seed)
        shown = Shown(self._held_out(model, draw))
        if self.task.shown:
            labels = self.dev_labels[: self.task.shown].to(draw.device)
            shown.pictures["generated"] = sheet(model.sample(labels, 1.0, draw), 10)
        return shown

    def _held_out(self, model: OneShot, generator: torch.Generator) -> dict[str, float]:
        parts = zip(self.dev.split(AT_ONCE), self.dev_labels.split(AT_ONCE), strict=True)
        device = generator.device
        losses = [model.losses(images.to(device), labels.to(device), generator)[0] for images, labels in parts]
        return {"loss": torch.stack(losses).mean().item()}


class GANTraining(OneShotTraining):
    """Generator and discriminator in turns; there is no held-out loss that would mean anything."""

    model: ImageGAN

    def __init__(self, model: ImageGAN, task: OneShotTask, train: Images, dev: Images, seed: int = 0) -> None:
        super().__init__(model, task, train, dev, seed)
        channels = model.config.channels + model.nothing + 1
        self.players["discriminator"] = PatchDiscriminators(task.discriminator, channels)
        self.rates = {"discriminator": task.discriminator_rate}
        self._made: Tensor | None = None

    def turns(self, step: int) -> list[str]:
        return [self.name, "discriminator"]

    def losses(self, player, batch: ImageBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        opponent, kind = self.players["discriminator"], self.task.adversarial
        real = self.model.with_label(batch.values, batch.labels)
        if player == "discriminator":
            losses = discriminator_losses(opponent, real, self._made, kind)
        else:
            fake = self.model.with_label(self.model(batch.labels, generator), batch.labels)
            self._made = fake.detach()
            losses = generator_losses(opponent, real, fake, kind, feature_matching=False)
        return sum(losses.values()), {name: loss.item() for name, loss in losses.items()}

    def _held_out(self, model: OneShot, generator: torch.Generator) -> dict[str, float]:
        return {}
