"""How a CLIP is trained: pairs of image and caption, each beside all the others of its batch."""

import torch
from torch import Tensor, nn

from speechgen.data.images import Images
from speechgen.models.clip import Clip
from speechgen.training.images import AT_ONCE, ImageBatch, ImageTask, ImageTraining, told
from speechgen.training.loop import Shown


class ClipTraining(ImageTraining):
    name = "image-clip"
    model: Clip

    def __init__(self, model: Clip, task: ImageTask, train: Images, dev: Images, seed: int = 0) -> None:
        super().__init__(model, task, train, dev, seed)
        self.labels, self.dev_labels = told(model, train)[self.labels], told(model, dev)[self.dev_labels]

    def losses(self, player, batch: ImageBatch, step: int, generator) -> tuple[Tensor, dict[str, float]]:
        return self.model.losses(batch.values, batch.labels)

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """The share of held-out images whose own caption scores highest among those of up to 250."""
        clip, device = models[self.name].eval(), generator.device
        loss, facts = clip.losses(self.dev[:AT_ONCE].to(device), self.dev_labels[:AT_ONCE].to(device))
        return Shown({"loss": loss.item(), **facts})
