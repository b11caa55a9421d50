"""What stands between a signal and a generator's backbone: the tokenizer, the order of its units, and their scaling.

A signal is an image, a clip or a sound; only the tokenizer knows which.
"""

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.heads.base import HeadConfig
from speechgen.orders.base import FROM_THE_LEFT, OrderConfig, build_order, check_triple
from speechgen.orders.next_scale import enlarged, pyramid
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.grids import GridTokenizerConfig, build_grid_tokenizer
from speechgen.tokenizers.images import ImageCodec
from speechgen.tokenizers.pixels import Pixels


class GridUnits(nn.Module):
    """Units of signals in an order. The tokenizer is part of the model and does not learn with it."""

    def __init__(self, tokenizer: GridTokenizerConfig, order: OrderConfig, head: HeadConfig) -> None:
        """Raises UserError for a unit, an order and a head that cannot work together."""
        super().__init__()
        self.order_config = order
        self.tokenizer = build_grid_tokenizer(tokenizer).requires_grad_(False)
        books, self.unit_width = self.tokenizer.codebooks, self.tokenizer.unit_width
        check_triple(books, order, head, tokenizer.bottleneck.scales if self.tokenizer.scaled else ())
        sides = self.tokenizer.sides
        if order.kind == "next_scale" and len(sides) != 2:
            raise UserError("order: next_scale enlarges pictures, of clips and sounds it knows none; use order: masked")
        if order.kind == "next_scale" and order.scales[-1] != sides[0]:
            raise UserError(f"order.scales end at {order.scales[-1]}; the grid's side is {sides[0]}")
        self.order = build_order(order, books, self.tokenizer.codebook_size, sides)
        self.register_buffer("mean", torch.zeros(0 if books else self.unit_width, 1))
        self.register_buffer("deviation", torch.ones(0 if books else self.unit_width, 1))

    @property
    def positions(self) -> int:
        """How many positions the backbone sees."""
        if self.order_config.kind == "next_scale":
            return self.order.length
        if self.order_config.kind == "frames":
            return 2 * self.units
        return self.order.steps(self.units) if self.order_config.kind in FROM_THE_LEFT else self.units

    @property
    def units(self) -> int:
        """How many units a signal has."""
        return prod(self.tokenizer.sides)

    @torch.no_grad()
    def units_of(self, images: Tensor) -> Tensor:
        """Signals such as images (B, C, side, side) to codes (B, K, S) or latents (B, D, S) of the tokenizer."""
        values = self.tokenizer.encode(images).values
        if self.order_config.kind == "next_scale" and not self.tokenizer.codebooks:
            return self.order.join(pyramid(values, self.order.scales))
        return values.flatten(2)

    @torch.no_grad()
    def images_of(self, units: Tensor) -> Tensor:
        """Units (B, K | D, S) to images, clips or waveforms in [-1, 1]; codes of -1, not known yet, count as 0."""
        units = units.clamp(min=0) if self.tokenizer.codebooks else units
        if self.tokenizer.scaled:
            return self.tokenizer.decode(Tokens(units, "discrete")).clamp(-1, 1)
        if self.order_config.kind == "next_scale":
            units = self.order.split(units)[-1].flatten(2)
        grid = units.unflatten(2, self.tokenizer.sides)
        kind = "discrete" if self.tokenizer.codebooks else "continuous"
        return self.tokenizer.decode(Tokens(grid, kind)).clamp(-1, 1)

    @torch.no_grad()
    def measure(self, units: Tensor) -> None:
        """Let continuous units (N, D, S) have mean 0 and deviation 1 in each channel from now on."""
        if not self.tokenizer.codebooks:
            self.mean.copy_(units.mean((0, 2))[:, None])
            self.deviation.copy_(units.std((0, 2))[:, None].clamp(min=1e-3))

    def canvas(self, scales: list[Tensor], side: int) -> Tensor:
        """What the next scale is shown of those before it: (B, C, side, side)."""
        return self.tokenizer.bottleneck.canvas(scales, side) if self.tokenizer.codebooks else enlarged(scales, side)


class SmallPictures(nn.Module):
    """Shows each place of a grid what lies there in a small picture, enlarged (Imagen, Saharia et al. 2022)."""

    def __init__(self, tokenizer: Pixels | ImageCodec, small: int, width: int, one_grid: bool) -> None:
        """Raises UserError for units that have no place in a picture, and for ``small`` pictures of a side that does
        not become the large one."""
        super().__init__()
        self.side, self.sides = tokenizer.config.side, tokenizer.sides
        if len(self.sides) != 2 or not one_grid:
            raise UserError("small: a small picture is added place by place; use units on one grid of two dimensions")
        if small >= self.side or self.side % small:
            raise UserError(
                f"small: pictures of {small} pixels cannot be enlarged to {self.side}; "
                f"use a part of {self.side} that divides it, such as {self.side // 2}"
            )
        self.embed = nn.Linear(tokenizer.config.channels * (self.side // self.sides[0]) ** 2, width)

    def forward(self, small: Tensor) -> Tensor:
        """(B, C, s, s) to (B, positions, width)."""
        large = F.interpolate(small, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return self.embed(F.pixel_unshuffle(large, self.side // self.sides[0]).flatten(2).transpose(1, 2))
