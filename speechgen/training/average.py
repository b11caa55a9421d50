"""The moving average of a model's weights, which evaluation, packing and loading use."""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of ``model`` that follows it: weights and running statistics decay, whole numbers are taken as they are.

    Torch averages whole numbers too, and cuts the result off: a grid of 8 levels would have 7 after one step.
    """
    decaying = get_ema_multi_avg_fn(decay)

    def average(mine: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        if mine[0].is_floating_point():
            decaying(mine, current, count)
        else:
            for one, other in zip(mine, current, strict=True):
                one.copy_(other)

    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)
