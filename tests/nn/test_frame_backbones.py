"""Backbones of frames: which positions each output depends on, and steps that equal the whole."""

import pytest
import torch

from speechgen.nn.frame_pixelcnn import FramePixelCNN
from speechgen.nn.space_time import SpaceTimeTransformer
from speechgen.nn.transformer import TransformerConfig

FRAMES, SIDE, WIDTH = 3, 3, 8
LAYERS = 3  # of the masked stack: the dilation begins again


def awake(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    for weight in module.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3)
    return module.eval()


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(2, FRAMES * SIDE**2, WIDTH, generator=draw), torch.randn(2, WIDTH, generator=draw)


def test_positions_of_frames_depend_on_those_before_them_and_steps_equal_the_whole() -> None:
    backbone = awake(FramePixelCNN(WIDTH, LAYERS, FRAMES, SIDE))
    x, condition = inputs()
    with torch.no_grad():
        whole = backbone(x, condition)
        state, made = backbone.initial_state(2, x.shape[1], condition=condition), []
        for position in range(x.shape[1]):
            z, state = backbone.step(x[:, position : position + 1], state)
            made.append(z)
        torch.testing.assert_close(torch.cat(made, dim=1), whole)
        for position in (0, 4, 9, 13, 26):
            changed = x.clone()
            changed[:, position + 1 :] += 1.0
            torch.testing.assert_close(backbone(changed, condition)[:, : position + 1], whole[:, : position + 1])
        earlier = x.clone()
        earlier[:, 3] += 1.0  # a unit of the first frame
        assert (backbone(earlier, condition)[:, 20] - whole[:, 20]).abs().max() > 1e-5


def test_attention_takes_turns_over_space_and_time() -> None:
    def backbone(layers: int) -> SpaceTimeTransformer:
        sizes = {"width": WIDTH, "heads": 2, "causal": False, "condition": "adaln", "condition_width": WIDTH}
        return awake(SpaceTimeTransformer(TransformerConfig(layers=layers, **sizes), FRAMES, SIDE**2))

    x, condition = inputs()
    changed = x.clone()
    changed[:, 4] += 1.0  # the middle of the first frame
    reached = []
    for layers in (1, 2):
        module = backbone(layers)
        with torch.no_grad():
            moved = (module(changed, condition) - module(x, condition)).abs().amax((0, 2)) > 1e-6
        reached.append(moved.view(FRAMES, SIDE**2))
    assert reached[0][0].all() and not reached[0][1:].any()
    assert reached[1].all()
    single = backbone(2)(x[:1], condition[:1])
    torch.testing.assert_close(backbone(2)(x, condition)[:1], single)
    with pytest.raises(ValueError, match="no mask"):
        backbone(1)(x, condition, torch.ones(27, 27, dtype=torch.bool))
