"""The typed union of order configs, how one is built, and which triples of unit, order and head cannot work."""

from typing import Annotated

from pydantic import Field

from speechgen.errors import UserError
from speechgen.heads.base import CONTINUOUS, STEPPED, HeadConfig
from speechgen.orders.delay import Delay, DelayConfig
from speechgen.orders.frames import Frames, FramesConfig
from speechgen.orders.joint import Joint, JointConfig
from speechgen.orders.levels import Levels, LevelsConfig
from speechgen.orders.masked import Masked, MaskedConfig
from speechgen.orders.next_scale import NextScale, NextScaleConfig
from speechgen.orders.raster import FlatRaster, FlatRasterConfig, Raster, RasterConfig

OrderConfig = Annotated[
    RasterConfig
    | FlatRasterConfig
    | DelayConfig
    | LevelsConfig
    | MaskedConfig
    | FramesConfig
    | NextScaleConfig
    | JointConfig,
    Field(discriminator="kind"),
]
FROM_THE_LEFT = ("raster", "flat", "delay")  # kinds of order that ``stepwise`` follows
WHOLE_FRAMES = ("raster", "masked", "frames", "next_scale")  # kinds that draw all codes of a position at once


def build_order(
    config: OrderConfig, codebooks: int = 0, codebook_size: int = 0, sides: tuple[int, ...] = ()
) -> Raster | FlatRaster | Delay | Levels | Masked | Frames | NextScale | Joint:
    """The order a config names, over K = ``codebooks`` of V = ``codebook_size`` codes; 0 means continuous units.
    ``sides`` of the grid, where the order asks what a frame or a neighbour is.

    Raises UserError when the order cannot arrange such units.
    """
    _check_unit(config, codebooks)
    if getattr(config, "span", 1) > 1:
        _check_span(config, sides)
    match config:
        case RasterConfig():
            return Raster(codebooks, codebook_size)
        case FlatRasterConfig():
            return FlatRaster(codebooks, codebook_size)
        case DelayConfig():
            return Delay(codebooks, codebook_size, config.delays)
        case LevelsConfig():
            return Levels(config, codebooks, codebook_size)
        case MaskedConfig():
            return Masked(config)
        case FramesConfig():
            if len(sides) != 3:
                raise UserError("order: frames needs a grid of three sides, such as clips have; use order: masked")
            return Frames(config, sides[0], sides[1] * sides[2])
        case NextScaleConfig():
            return NextScale(config)
        case JointConfig():
            return Joint()
    raise TypeError(f"not an order config: {config!r}")


def check_triple(codebooks: int, order: OrderConfig, head: HeadConfig, scales: tuple[int, ...] = ()) -> None:
    """Refuse a triple that cannot work: raises UserError with the way out. ``codebooks`` 0 means continuous units;
    ``scales``: sides of the grids that the codes lie on, where they lie on several."""
    continuous = f"{', '.join(CONTINUOUS[:-1])} or {CONTINUOUS[-1]}"
    if codebooks == 0 and head.kind not in CONTINUOUS:
        raise UserError(f"head: {head.kind} draws codes, but the units are continuous; use head: {continuous}")
    if codebooks > 0 and head.kind in CONTINUOUS:
        raise UserError(
            f"head: {head.kind} draws continuous units, but the units are codes; use head: categorical or depth"
        )
    _check_unit(order, codebooks)
    together = order.kind in WHOLE_FRAMES or (order.kind == "delay" and not any(order.delays or range(codebooks)))
    if head.kind in ("categorical", "logistics") and codebooks > 1 and together:
        raise UserError(
            f"order: {order.kind} draws the {codebooks} codes of a frame at once, and head: {head.kind} draws them as "
            "if they were independent; this needs the depth head or order: delay with different delays (or flat)"
        )
    if head.kind == "depth" and order.kind == "flat":
        raise UserError("head: depth draws all codes of a frame, order: flat one at a time; use order: raster or delay")
    if order.kind == "masked" and order.choice == "confidence" and head.kind != "categorical":
        raise UserError(
            f"order: masked by confidence needs to know how sure the head is, which head: {head.kind} does not say; "
            "use head: categorical, or choice: random"
        )
    if order.kind == "joint" and head.kind not in STEPPED:
        raise UserError(
            f"order: joint turns noise into all units together, which head: {head.kind} cannot; "
            "use head: flow or diffusion"
        )
    if order.kind == "levels" and head.kind != "categorical":
        raise UserError(f"order: levels draws one codebook at a time, head: {head.kind} all; use head: categorical")

    if scales and (order.kind != "next_scale" or order.scales != scales):
        raise UserError(f"the codes are in scales; use order: {{kind: next_scale, scales: {list(scales)}}}")
    if codebooks > 0 and order.kind == "next_scale" and not scales:
        raise UserError("order: next_scale needs codes in scales; use a tokenizer with bottleneck: {kind: scales}")


def _check_unit(order: OrderConfig, codebooks: int) -> None:
    if order.kind == "levels" and codebooks < 2:
        raise UserError("order: levels goes from codebook to codebook, and there are not several; use order: raster")
    if codebooks == 0 and order.kind in ("flat", "delay"):
        raise UserError(f"order: {order.kind} arranges codebooks, but the units are continuous; use order: raster")
    if codebooks > 0 and order.kind == "joint":
        raise UserError("order: joint turns noise into units, but the units are codes; use order: masked or raster")


def _check_span(order: MaskedConfig | LevelsConfig, sides: tuple[int, ...]) -> None:
    if len(sides) != 1:
        raise UserError(f"order.span: {order.span} joins neighbours in a row, such as sounds have; use span: 1")
    if order.span >= sides[0]:
        raise UserError(f"order.span: {order.span} leaves one span of {sides[0]} positions; use a smaller one")
