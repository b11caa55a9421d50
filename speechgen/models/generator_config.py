"""How a generator is written down: its triple, its backbone, and what it is told."""

from typing import Literal, Self

from pydantic import Field, model_validator

from speechgen.config import Config
from speechgen.heads.base import HeadConfig
from speechgen.heads.categorical import CategoricalHeadConfig
from speechgen.nn.transformer import TransformerConfig, check_heads
from speechgen.orders.base import FROM_THE_LEFT, OrderConfig
from speechgen.orders.raster import RasterConfig
from speechgen.tokenizers.grids import GridTokenizerConfig
from speechgen.tokenizers.pixels import PixelsConfig


class GeneratorConfig(Config):
    """The triple, the backbone's sizes, and the ``labels`` that it can be told, which the data fills in: names,
    ``told`` as a whole or by the words that they share, or the words of ``captions``. ``guidance``: whether they were
    withheld in training, which guidance needs; the task says. ``small``: side of a small picture that it is shown, too
    (Muse, Imagen), or 0."""

    kind: Literal["image", "sound", "video"] = "image"
    tokenizer: GridTokenizerConfig = PixelsConfig(levels=2)
    order: OrderConfig = RasterConfig()
    head: HeadConfig = CategoricalHeadConfig()
    backbone: Literal["transformer", "space-time", "pixelcnn", "pixelrnn", "video-pixels"] = "transformer"
    width: int = Field(128, gt=0)
    layers: int = Field(4, gt=0)
    heads: int = Field(4, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    labels: list[str] = []
    told: Literal["label", "words"] = "label"
    captions: bool = False
    guidance: bool = True
    small: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_heads(self.width, self.heads)
        return self

    def transformer(self) -> TransformerConfig:
        sizes = {"width": self.width, "layers": self.layers, "heads": self.heads, "dropout": self.dropout}
        from_the_left = self.order.kind == "levels" and self.order.first == "raster"
        causal = from_the_left or self.order.kind in (*FROM_THE_LEFT, "next_scale")
        return TransformerConfig(**sizes, causal=causal, condition="adaln", condition_width=self.width)
