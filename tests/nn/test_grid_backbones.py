"""Backbones of grids: what a place sees, and steps that equal the whole."""

import pytest
import torch

from speechgen.nn.pixelcnn import GridBackbone, PixelCNN, PixelRNN

SIDE, WIDTH = 5, 8


@pytest.fixture(params=[PixelCNN, PixelRNN])
def backbone(request: pytest.FixtureRequest) -> GridBackbone:
    torch.manual_seed(0)
    return request.param(WIDTH, 3, SIDE).eval()  # three layers: the dilation begins again


@pytest.mark.parametrize("at_once", [1, 3])
@torch.no_grad()
def test_steps_equal_the_whole(backbone: GridBackbone, at_once: int) -> None:
    x, condition = torch.randn(2, SIDE**2, WIDTH), torch.randn(2, WIDTH)
    state, made = backbone.initial_state(2, SIDE**2, condition=condition), []
    for some in x.split(at_once, dim=1):
        z, state = backbone.step(some, state)
        made.append(z)
    torch.testing.assert_close(torch.cat(made, dim=1), backbone(x, condition))


@torch.no_grad()
def test_a_place_sees_those_before_it_alone(backbone: GridBackbone) -> None:
    x, condition = torch.randn(1, SIDE**2, WIDTH), torch.randn(1, WIDTH)
    whole = backbone(x, condition)
    for place in (0, 7, 12, 23):
        changed = x.clone()
        changed[:, place] += 1.0
        moved = (backbone(changed, condition) - whole).abs().amax((0, 2)) > 1e-6
        assert moved[place] and not moved[:place].any()
