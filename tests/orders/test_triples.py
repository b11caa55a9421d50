"""Triples of unit, order and head: those that can work are built, the rest refused with the way out."""

import pytest

from speechgen.config import Config, make_config
from speechgen.errors import UserError
from speechgen.heads.base import HeadConfig
from speechgen.orders.base import OrderConfig, build_order, check_triple
from speechgen.orders.delay import Delay
from speechgen.orders.joint import Joint
from speechgen.orders.masked import Masked
from speechgen.orders.next_scale import NextScale
from speechgen.orders.raster import FlatRaster, Raster


class Triple(Config):
    order: OrderConfig
    head: HeadConfig


def triple(order: str | dict, head: str) -> Triple:
    order = {"kind": order} if isinstance(order, str) else order
    return make_config(Triple, {"order": order, "head": {"kind": head}})


WORKING = [
    (0, "raster", "flow", Raster),
    (1, "raster", "categorical", Raster),
    (1, "delay", "categorical", Delay),
    (4, "raster", "depth", Raster),
    (4, "delay", "categorical", Delay),
    (4, "delay", "depth", Delay),
    (4, {"kind": "delay", "delays": [0, 1, 1, 1]}, "categorical", Delay),
    (4, "flat", "categorical", FlatRaster),
    (0, "raster", "diffusion", Raster),
    (0, "raster", "energy", Raster),
    (1, "masked", "categorical", Masked),
    (0, {"kind": "masked", "choice": "random"}, "diffusion", Masked),
    (4, {"kind": "masked", "choice": "random"}, "depth", Masked),
    (0, "next_scale", "flow", NextScale),
    (0, "joint", "flow", Joint),
    (0, "joint", "diffusion", Joint),
]
REFUSED = [
    (0, "raster", "categorical", "head: categorical draws codes, but the units are continuous; use head: flow"),
    (0, "raster", "depth", "use head: flow"),
    (0, "delay", "flow", "order: delay arranges codebooks, but the units are continuous; use order: raster"),
    (0, "flat", "flow", "use order: raster"),
    (4, "raster", "flow", "but the units are codes; use head: categorical or depth"),
    (4, "raster", "categorical", "needs the depth head or order: delay"),
    (4, {"kind": "delay", "delays": [0, 0, 0, 0]}, "categorical", "with different delays"),
    (4, "flat", "depth", "use order: raster or delay"),
    (1, "raster", "energy", "use head: categorical or depth"),
    (0, "masked", "flow", "which head: flow does not say; use head: categorical, or choice: random"),
    (4, "masked", "categorical", "needs the depth head"),
    (4, "masked", "depth", "which head: depth does not say"),
    (0, "joint", "energy", "which head: energy cannot; use head: flow or diffusion"),
    (1, "joint", "categorical", "the units are codes; use order: masked or raster"),
    (1, "next_scale", "categorical", "bottleneck: {kind: scales}"),
]


@pytest.mark.parametrize(("codebooks", "order", "head", "kind"), WORKING)
def test_what_can_work_is_built(codebooks: int, order: str | dict, head: str, kind: type) -> None:
    config = triple(order, head)
    check_triple(codebooks, config.order, config.head)
    assert isinstance(build_order(config.order, codebooks, 16 if codebooks else 0), kind)


@pytest.mark.parametrize(("codebooks", "order", "head", "words"), REFUSED)
def test_what_cannot_work_is_refused_with_the_way_out(codebooks: int, order: str | dict, head: str, words: str) -> None:
    config = triple(order, head)
    with pytest.raises(UserError, match=words) as refusal:
        check_triple(codebooks, config.order, config.head)
    assert "\n" not in str(refusal.value)


def test_codes_in_scales_need_their_order() -> None:
    config = triple({"kind": "next_scale", "scales": [1, 2]}, "categorical")
    check_triple(1, config.order, config.head, scales=(1, 2))
    with pytest.raises(UserError, match=r"use order: {kind: next_scale, scales: \[1, 3\]}"):
        check_triple(1, config.order, config.head, scales=(1, 3))
    with pytest.raises(UserError, match="each is larger than the one before"):
        triple({"kind": "next_scale", "scales": [2, 2]}, "categorical")


def test_building_an_order_checks_too() -> None:
    with pytest.raises(UserError, match="use order: raster"):
        build_order(triple("delay", "flow").order)
    with pytest.raises(UserError, match="one for each"):
        build_order(triple({"kind": "delay", "delays": [0, 1]}, "categorical").order, 3, 16)
