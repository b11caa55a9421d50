"""A class-conditional generator of units on a grid of any dimensions: any unit, any order, any head, one backbone.

The label, and in the joint order the time, reach every layer by AdaLN, so that all orders are told alike. Drawing from
it is ``speechgen.models.draw``.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.errors import UserError, nearest
from speechgen.heads.base import HeadConfig, build_head
from speechgen.heads.categorical import CategoricalHeadConfig
from speechgen.heads.denoising import DenoisingHead
from speechgen.heads.mse import MSEHeadConfig
from speechgen.models.backbones import build_backbone
from speechgen.models.grid_units import GridUnits
from speechgen.nn.adaln import TimeEmbedding
from speechgen.nn.labels import WordLabels
from speechgen.nn.transformer import TransformerConfig
from speechgen.orders.base import FROM_THE_LEFT, OrderConfig
from speechgen.orders.layout import View
from speechgen.orders.raster import RasterConfig
from speechgen.tokenizers.grids import GridTokenizerConfig
from speechgen.tokenizers.pixels import PixelsConfig


class GeneratorConfig(Config):
    """The triple, the backbone's sizes, and the ``labels`` that it can be told, which the data fills in: ``told`` as a
    whole, or by the words that they share. ``guidance``: whether labels were withheld in training, which guidance
    needs; the task says."""

    kind: Literal["image", "sound", "video"] = "image"
    tokenizer: GridTokenizerConfig = PixelsConfig(levels=2)
    order: OrderConfig = RasterConfig()
    head: HeadConfig = CategoricalHeadConfig()
    backbone: Literal["transformer", "space-time", "pixelcnn", "video-pixels"] = "transformer"
    width: int = Field(128, gt=0)
    layers: int = Field(4, gt=0)
    heads: int = Field(4, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    labels: list[str] = []
    told: Literal["label", "words"] = "label"
    guidance: bool = True

    def transformer(self) -> TransformerConfig:
        sizes = {"width": self.width, "layers": self.layers, "heads": self.heads, "dropout": self.dropout}
        from_the_left = self.order.kind == "levels" and self.order.first == "raster"
        causal = from_the_left or self.order.kind in (*FROM_THE_LEFT, "next_scale")
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
        if config.told == "words":
            self.label = WordLabels(config.labels, config.width)
        else:
            self.label = nn.Embedding(len(config.labels) + 1, config.width)  # the last one: not told
        self.backbone = build_backbone(config.backbone, config.order.kind, config.transformer(), self.tokenizer.sides)
        sizes = {"unit_width": self.unit_width, "codebooks": per_step, "codebook_size": size}
        self.head = build_head(config.head, config.width, **sizes)
        self.process = None
        if config.order.kind == "masked" and config.order.length == "predicted":
            if config.kind != "sound":
                raise UserError("order.length: predicted is for sounds; images and clips have one size: use fixed")
            self.length = nn.Linear(config.width, self.units)
        if config.order.kind == "levels":
            self.time = TimeEmbedding(config.width)  # which level
        if config.order.kind == "joint":
            # The backbone is the network; what is left of the head is its process, and a last layer.
            assert isinstance(self.head, DenoisingHead)
            self.process, self.time = self.head.process, TimeEmbedding(config.width)
            self.head = build_head(MSEHeadConfig(), config.width, unit_width=self.unit_width)

    def losses(
        self, units: Tensor, labels: Tensor, generator: torch.Generator, lengths: Tensor | None = None
    ) -> Tensor:
        """The head's loss on units as ``units_of`` makes them; labels (B,), the last number where nothing is told.
        Where lengths are predicted, the loss of ``lengths`` (B,) in units is added."""
        if not self.tokenizer.codebooks:
            units = (units - self.mean) / self.deviation
        view = self.view(units, generator, lengths)
        condition = self.condition(labels, view.time)
        z = self.look(self.embed(view.inputs, view.blank), condition, view.visible, view.real)
        somewhere = view.drawn.any(-1)
        weights = view.drawn[somewhere].squeeze(-1)  # of each code, where a position has several
        loss = self.head.loss(z[somewhere], view.target[somewhere], generator, weights)
        return loss if lengths is None else loss + F.cross_entropy(self.length(self.label(labels)), lengths - 1)

    def view(self, units: Tensor, generator: torch.Generator, lengths: Tensor | None = None) -> View:
        """What the order shows the backbone of units, as it asks for."""
        match self.config.order.kind:
            case "joint":
                return self.order.view(units, self.process, generator)
            case "next_scale":
                return self.order.view(units, self.canvas)
            case "masked":
                return self.order.view(units, generator, lengths)
        return self.order.view(units, generator)

    def embed(self, inputs: Tensor, blank: Tensor, first: int = 0) -> Tensor:
        """Inputs (B, S, K | D) at positions from ``first`` on, with blank ones (B, S), to (B, S, width)."""
        if self.discrete_inputs:
            x = sum(table(inputs[..., book]) for book, table in enumerate(self.embeddings))
        else:
            x = self.embed_continuous(inputs.to(self.blank.dtype))
        return torch.where(blank.unsqueeze(-1), self.blank.to(x), x) + self.places[first : first + x.shape[1]]

    def condition(self, labels: Tensor, time: Tensor | None = None) -> Tensor:
        """Labels (B,), and times (B,) in orders that have them, to what the layers are told (B, width)."""
        return self.label(labels) if time is None else self.label(labels) + self.time(time)

    def look(self, x: Tensor, condition: Tensor, visible: Tensor | None = None, real: Tensor | None = None) -> Tensor:
        """What the head reads (B, S, width) of embedded inputs (B, S, width), of which some may not be ``real`` (B, S);
        condition (B, width)."""
        more = {} if real is None else {"mask": real}
        return self.backbone(x, condition=condition, visible=visible, **more)

    def label_ids(self, names: list[str]) -> Tensor:
        """Numbers of labels; raises UserError for one that is not known, naming what is."""
        known = {name: number for number, name in enumerate(self.config.labels)}
        for name in names:
            if name not in known:
                raise UserError(f"label {name!r} is not known{nearest(name, known)}")
        return torch.tensor([known[name] for name in names])
