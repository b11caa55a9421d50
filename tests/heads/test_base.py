"""Head configs are a typed union; the built head is the one named."""

import pytest
import torch

from speechgen.config import Config, make_config
from speechgen.errors import UserError
from speechgen.heads.base import CONTINUOUS, HeadConfig, build_head
from speechgen.heads.flow import FlowHead


class Model(Config):
    head: HeadConfig


UNITS = {kind: torch.randn(3, 5) for kind in CONTINUOUS} | {
    kind: torch.randint(7, (3, 2)) for kind in ("categorical", "depth", "logistics")
}


@pytest.mark.parametrize("kind", UNITS)
def test_every_kind_is_built_and_speaks_the_interface(kind: str) -> None:
    config = make_config(Model, {"head": {"kind": kind}}).head
    head = build_head(config, 16, unit_width=5, codebooks=2, codebook_size=7)
    generator = torch.Generator().manual_seed(0)
    z, unit = torch.randn(3, 16), UNITS[kind]
    assert head.loss(z, unit, generator, torch.ones(3)).shape == ()
    drawn = head.sample(z, torch.randn(3, 16), guidance=1.5, temperature=0.7, generator=generator)
    assert drawn.shape == unit.shape
    assert drawn.dtype == unit.dtype


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="unknown key"):
        make_config(Model, {"head": {"kind": "flow", "widht": 3}})
    with pytest.raises(
        UserError, match="'flow', 'one-step', 'diffusion', 'energy', 'gaussian', 'mse', 'categorical', 'depth'"
    ):
        make_config(Model, {"head": {"kind": "flwo"}})
    with pytest.raises(UserError, match="width 10 does not divide into 4 heads"):
        make_config(Model, {"head": {"kind": "depth", "width": 10}})
    with pytest.raises(ValueError, match="flow head needs unit_width"):
        build_head(make_config(Model, {"head": {"kind": "flow"}}).head, 16, codebooks=2, codebook_size=7)


def test_defaults_fill_in() -> None:
    head = build_head(make_config(Model, {"head": {"kind": "flow"}}).head, 16, unit_width=5)
    assert isinstance(head, FlowHead)
    assert head.config.draws == 4


@pytest.mark.parametrize("kind", UNITS)
def test_bfloat16_autocast_gives_nearly_the_same_loss(kind: str) -> None:
    torch.manual_seed(0)
    config = make_config(Model, {"head": {"kind": kind}}).head
    head = build_head(config, 16, unit_width=5, codebooks=2, codebook_size=7)
    z = torch.randn(3, 16)
    with torch.autocast("cpu", torch.bfloat16):
        low = head.loss(z.bfloat16(), UNITS[kind], torch.Generator().manual_seed(0))
    low.backward()
    assert low.dtype == torch.float32
    full = head.loss(z, UNITS[kind], torch.Generator().manual_seed(0))
    torch.testing.assert_close(low, full, atol=0.03, rtol=0.03)
