"""A generator of units on a grid that is told a label or a caption: any unit, any order, any head over one backbone.

What it is told, and in the joint order the time, reach every layer by AdaLN, so that all orders are told alike. A small
picture that is to become a large one is added at its places. Drawing is ``speechgen.models.draw``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.heads.base import build_head
from speechgen.heads.denoising import DenoisingHead
from speechgen.heads.mse import MSEHeadConfig
from speechgen.models.backbones import build_backbone
from speechgen.models.generator_config import GeneratorConfig
from speechgen.models.grid_units import GridUnits, SmallPictures
from speechgen.models.label_ids import label_ids
from speechgen.nn.adaln import TimeEmbedding
from speechgen.nn.encoders import CaptionEncoder
from speechgen.nn.labels import WordLabels
from speechgen.orders.layout import View

SMALL_NOISE = 0.1  # deviation of what is added to small pictures in training, which generated ones are not free of


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
        self.label = _teller(config)
        one_grid = config.order.kind != "next_scale"
        self.small = SmallPictures(self.tokenizer, config.small, config.width, one_grid) if config.small else None
        sides = self.tokenizer.sides
        self.backbone = build_backbone(config.backbone, config.order.kind, config.transformer(), sides)
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
        self,
        units: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        small: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """The head's loss on units as ``units_of`` makes them; labels (B,) or words (B, W), ``nothing`` where none is
        told; small pictures (B, C, s, s) where the model is shown some, with noise over them (Imagen, section 2.4).
        Where lengths are predicted, the loss of ``lengths`` (B,) in units is added."""
        if small is not None:
            small = small + SMALL_NOISE * torch.randn(small.shape, generator=generator, device=small.device)
        if not self.tokenizer.codebooks:
            units = (units - self.mean) / self.deviation
        view = self.view(units, generator, lengths)
        x = self.embed(view.inputs, view.blank, hint=self.hint(small))
        z = self.look(x, self.condition(labels, view.time), view.visible, view.real)
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

    def hint(self, small: Tensor | None) -> Tensor | None:
        """What each position is shown of small pictures (B, C, small, small): (B, positions, width), or nothing.

        Raises UserError where there is a picture and the model wants none, or the other way round.
        """
        if (small is None) != (self.small is None):
            if small is None:
                wanted = f"the model enlarges pictures of {self.config.small} pixels"
                raise UserError(f"{wanted}; name the model that draws them with --small")
            raise UserError("the model needs no small pictures; leave out --small")
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
        """Labels (B,) or words (B, W), and times (B,) in some orders, to what the layers are told (B, width)."""
        return self.label(labels) if time is None else self.label(labels) + self.time(time)

    def look(self, x: Tensor, condition: Tensor, visible: Tensor | None = None, real: Tensor | None = None) -> Tensor:
        """What the head reads (B, S, width) of embedded inputs (B, S, width), of which some may not be ``real`` (B, S);
        condition (B, width)."""
        more = {} if real is None else {"mask": real}
        return self.backbone(x, condition=condition, visible=visible, **more)

    def label_ids(self, names: list[str]) -> Tensor:
        """Numbers of labels (B,), or of captions' words (B, W); raises UserError for one that is not known."""
        return label_ids(names, self.config.labels, self.config.captions)


def _teller(config: GeneratorConfig) -> nn.Module:
    """Numbers of labels, or of words, to vectors (B, width)."""
    if config.captions:
        return CaptionEncoder(len(config.labels), config.width)
    if config.told == "words":
        return WordLabels(config.labels, config.width)
    return nn.Embedding(len(config.labels) + 1, config.width)
