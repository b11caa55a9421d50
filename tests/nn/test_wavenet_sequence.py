"""The two ways through a WaveNet layer, channels first by convolutions and channels last by matrix products, agree."""

import pytest
import torch

from speechgen.nn.wavenet import WaveNetStack


@pytest.mark.parametrize("frames, hold", [(0, 1), (1, 1), (5, 4), (19, 1)])
@pytest.mark.parametrize("length", [19, 3])
def test_channels_last_equals_channels_first(frames, hold, length):
    torch.manual_seed(0)
    stack = WaveNetStack([1, 2, 4, 8], residual=6, skip=5, condition=3 if frames else 0)
    x = torch.randn(2, 6, length)
    condition = torch.randn(2, 3, min(frames, -(-length // hold))) if frames else None
    total, first = 0, x
    for layer in stack.layers:
        first, skip = layer(first, condition, hold)
        total = total + skip
    assert torch.allclose(stack(x, condition, hold), total, atol=1e-6)
