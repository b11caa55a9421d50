"""A generator of units on a grid that is told a label or a caption: any unit, any order, any head over one backbone.

What it is told, and in the joint order the time, reach every layer by AdaLN, so that all orders are told alike. A small
picture that is to become a large one is added at its places. Drawing is ``speechgen.models.draw``.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.heads.base import HeadConfig, build_head
from speechgen.heads.categorical import CategoricalHeadConfig
from speechgen.heads.denoising import DenoisingHead
from speechgen.heads.mse import MSEHeadConfig
from speechgen.models.grid_units import GridUnits, SmallPictures
from speechgen.models.label_ids import label_ids
from speechgen.nn.adaln import TimeEmbedding
from speechgen.nn.encoders import CaptionEncoder
from speechgen.nn.pixelcnn import PictureBackbone, PixelCNN, PixelRNN
from speechgen.nn.transformer import Transformer, TransformerConfig
from speechgen.orders.base import FROM_THE_LEFT, OrderConfig
from speechgen.orders.layout import View
from speechgen.orders.raster import RasterConfig
from speechgen.tokenizers.images import ImageTokenizerConfig
from speechgen.tokenizers.pixels import PixelsConfig

SMALL_NOISE = 0.1  # deviation of what is added to small pictures in training, which generated ones are not free of


class GeneratorConfig(Config):
    """The triple, the backbone's sizes, and the ``labels`` that it can be told, which the data fills in: names, or the
    words of ``captions``. ``guidance``: whether they were withheld in training, which guidance needs; the task says.
    ``small``: side of a small picture that it is shown, too (Muse, Imagen), or 0."""

    kind: Literal["image"] = "image"
    tokenizer: ImageTokenizerConfig = PixelsConfig(levels=2)
    order: OrderConfig = RasterConfig()
    head: HeadConfig = CategoricalHeadConfig()
    backbone: Literal["transformer", "pixelcnn", "pixelrnn"] = "transformer"
    width: int = Field(128, gt=0)
    layers: int = Field(4, gt=0)
    heads: int = Field(4, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    labels: list[str] = []
    captions: bool = False
    guidance: bool = True
    small: int = Field(0, ge=0)

    def transformer(self) -> TransformerConfig:
        sizes = {"width": self.width, "layers": self.layers, "heads": self.heads, "dropout": self.dropout}
        causal = self.order.kind in (*FROM_THE_LEFT, "next_scale")
        return TransformerConfig(**sizes, causal=causal, condition="adaln", condition_width=self.width)


class Generator(GridUnits):
    """The parts over the units, how they join, and the loss."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config.tokenizer, config.order, config.head)
        self.config = config
        books, size = self.tokenizer.codebooks, self.tokenizer.codebook_size
        per_step, size = getattr(self.order, "codes_per_step", books), getattr(self.order, "vocabulary", size)
        self.discrete_inputs = books > 0 and config.order.kind != "next_scale"
        if self.discrete_inputs:
            self.embeddings = nn.ModuleList(nn.Embedding(size + 1, config.width) for _ in range(per_step))
        else:
            self.embed_continuous = nn.Linear(self.unit_width, config.width)
        self.blank = nn.Parameter(torch.zeros(config.width))
        self.places = nn.Parameter(0.02 * torch.randn(self.positions, config.width))
        self.nothing = len(config.labels)  # stands where nothing is told
        told = CaptionEncoder(self.nothing, config.width) if config.captions else None
        self.label = told or nn.Embedding(self.nothing + 1, config.width)
        one_grid = config.order.kind != "next_scale"
        self.small = SmallPictures(self.tokenizer, config.width, one_grid) if config.small else None
        self.backbone = _build_backbone(config, self.tokenizer.sides)
        sizes = {"unit_width": self.unit_width, "codebooks": per_step, "codebook_size": size}
        self.head = build_head(config.head, config.width, **sizes)
        self.process = None
        if config.order.kind == "joint":
            # The backbone is the network; what is left of the head is its process, and a last layer.
            assert isinstance(self.head, DenoisingHead)
            self.process, self.time = self.head.process, TimeEmbedding(config.width)
            self.head = build_head(MSEHeadConfig(), config.width, unit_width=self.unit_width)

    def losses(self, units: Tensor, labels: Tensor, generator: torch.Generator, small: Tensor | None = None) -> Tensor:
        """The head's loss on units as ``units_of`` makes them; labels (B,) or words (B, W), ``nothing`` where none is
        told; small pictures (B, C, s, s) where the model is shown some, with noise over them (Imagen, section 2.4)."""
        if small is not None:
            small = small + SMALL_NOISE * torch.randn(small.shape, generator=generator, device=small.device)
        if not self.tokenizer.codebooks:
            units = (units - self.mean) / self.deviation
        view = self.view(units, generator)
        x = self.embed(view.inputs, view.blank, hint=self.hint(small))
        z = self.look(x, self.condition(labels, view.time), view.visible)
        somewhere = view.drawn.any(-1)
        weights = view.drawn[somewhere].squeeze(-1)  # of each code, where a position has several
        return self.head.loss(z[somewhere], view.target[somewhere], generator, weights)

    def view(self, units: Tensor, generator: torch.Generator) -> View:
        """What the order shows the backbone of units, as it asks for."""
        match self.config.order.kind:
            case "joint":
                return self.order.view(units, self.process, generator)
            case "next_scale":
                return self.order.view(units, self.canvas)
        return self.order.view(units, generator)

    def hint(self, small: Tensor | None) -> Tensor | None:
        """What each position is shown of small pictures (B, C, small, small): (B, positions, width), or nothing.

        Raises UserError where there is a picture and the model wants none, or the other way round.
        """
        if (small is None) != (self.small is None):
            if small is None:
                raise UserError(
                    f"the model enlarges pictures of {self.config.small} pixels; name the one that draws them"
                )
            raise UserError("the model needs no small pictures; leave out the model that draws them")
        return None if small is None else self.small(small)

    def embed(self, inputs: Tensor, blank: Tensor, first: int = 0, hint: Tensor | None = None) -> Tensor:
        """Inputs (B, S, K | D) at positions from ``first`` on, with blank ones (B, S), to (B, S, width)."""
        if self.discrete_inputs:
            x = sum(table(inputs[..., book]) for book, table in enumerate(self.embeddings))
        else:
            x = self.embed_continuous(inputs.to(self.blank.dtype))
        here = slice(first, first + x.shape[1])
        x = torch.where(blank.unsqueeze(-1), self.blank.to(x), x) + self.places[here]
        return x if hint is None else x + hint[:, here]

    def condition(self, labels: Tensor, time: Tensor | None = None) -> Tensor:
        """Labels (B,) or words (B, W), and times (B,) in the joint order, to what the layers are told (B, width)."""
        return self.label(labels) if time is None else self.label(labels) + self.time(time)

    def look(self, x: Tensor, condition: Tensor, visible: Tensor | None = None) -> Tensor:
        """What the head reads (B, S, width) of embedded inputs (B, S, width); condition (B, width)."""
        return self.backbone(x, condition=condition, visible=visible)

    def label_ids(self, names: list[str]) -> Tensor:
        """Numbers of labels (B,), or of captions' words (B, W); raises UserError for one that is not known."""
        return label_ids(names, self.config.labels, self.config.captions)


def _build_backbone(config: GeneratorConfig, sides: tuple[int, ...]) -> Transformer | PictureBackbone:
    if config.backbone == "transformer":
        return Transformer(config.transformer())
    order, name = config.order.kind, config.backbone
    if order != "raster" or len(sides) != 2:
        raise UserError(f"backbone: {name} sees what is above and left in a picture; order: {order} needs transformer")
    return (PixelCNN if name == "pixelcnn" else PixelRNN)(config.width, config.layers, sides[0])
