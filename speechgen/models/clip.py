"""Does a caption belong to an image? Both become vectors that are near each other where it does (CLIP, Radford et al.
2021), learned from pairs beside the same pairs shuffled."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.models.classifier import ImageFeatures, ImageFeaturesConfig
from speechgen.models.label_ids import label_ids
from speechgen.nn.encoders import CaptionEncoder


class ClipConfig(ImageFeaturesConfig):
    """``labels``: the words that captions are made of, which the data fills in."""

    kind: Literal["image-clip"] = "image-clip"
    labels: list[str] = []


class Clip(ImageFeatures):
    """Images (B, C, side, side) in [-1, 1] and words (B, W) to vectors (B, features) of length 1."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__(config)
        self.nothing = len(config.labels)
        self.caption = CaptionEncoder(self.nothing, config.width)
        self.image_out = nn.Linear(config.features, config.features, bias=False)
        self.caption_out = nn.Linear(config.width, config.features, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(2.66))  # a temperature of 0.07, as in the paper

    def label_ids(self, captions: list[str]) -> Tensor:
        """Words (B, W); raises UserError for one that is not known."""
        return label_ids(captions, self.config.labels, captions=True)

    def images(self, images: Tensor) -> Tensor:
        return F.normalize(self.image_out(self.dropout(self.features(images))), dim=-1)

    def captions(self, words: Tensor) -> Tensor:
        return F.normalize(self.caption_out(self.caption(words)), dim=-1)

    def losses(self, images: Tensor, words: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy of which caption of the batch is an image's own, and the other way round (figure 3)."""
        likeness = self.log_scale.clamp(max=4.6).exp() * self.images(images) @ self.captions(words).T
        own = torch.arange(len(images), device=images.device)
        loss = (F.cross_entropy(likeness, own) + F.cross_entropy(likeness.T, own)) / 2
        return loss, {"matched": (likeness.argmax(1) == own).float().mean().item()}

    @torch.no_grad()
    def scores(self, images: Tensor, captions: list[str]) -> Tensor:
        """The CLIP score, the cosine, of each image with each caption: (N, captions), at most 1."""
        return self.images(images) @ self.captions(self.label_ids(captions)).T


class TransformersClip(nn.Module):
    """A CLIP that transformers saved in a folder, with the same ``scores``."""

    def __init__(self, folder: str) -> None:
        """Raises UserError when there are no such weights."""
        super().__init__()
        from transformers import AutoTokenizer, CLIPModel

        try:
            self.model = CLIPModel.from_pretrained(folder, use_safetensors=True, local_files_only=True).eval()
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: no CLIP weights there ({' '.join(str(error).split())[:100]})") from None

    @torch.no_grad()
    def scores(self, images: Tensor, captions: list[str]) -> Tensor:
        """Cosines (N, captions) of images (N, 1 or 3, H, W) in [-1, 1]."""
        side = self.model.config.vision_config.image_size
        images = F.interpolate(images.expand(-1, 3, -1, -1), size=(side, side), mode="bicubic", align_corners=False)
        mean, deviation = torch.tensor([[0.4815, 0.4578, 0.4082], [0.2686, 0.2613, 0.2758]])[..., None, None].to(images)
        words = self.tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
        return self.model(pixel_values=((images + 1) / 2 - mean) / deviation, **words).logits_per_image / (
            self.model.logit_scale.exp()
        )
