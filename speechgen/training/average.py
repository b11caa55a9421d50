"""The moving average of a model's weights, which evaluation, packing and loading use."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of ``model`` that follows it: weights and running statistics decay, whole numbers are taken as they are.

    The first averages reach back over a ninth of the steps taken, until that is what ``decay`` does: in a run of 400
    steps 0.998 alone leaves the weights it began with a share of 45 %.
    Torch averages whole numbers too, and cuts the result off: a grid of 8 levels would have 7 after one step. What is
    frozen stays as it is to the bit: -0.0 averaged with itself is 0.0, and a frozen encoder is known by its bytes.
    """

    def average(mine: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        if mine[0].is_floating_point():
            steps = int(count)
            moved = [(one, other) for one, other in zip(mine, current, strict=True) if not torch.equal(one, other)]
            if moved:
                follow = get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))
                follow(*map(list, zip(*moved, strict=True)), count)
        else:
            for one, other in zip(mine, current, strict=True):
                one.copy_(other)

    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)
