"""The loss balancer: weights become shares of the gradient, whatever the sizes of the losses.

EnCodec (Défossez et al. 2022), section 3.4; measured at the last layer's weights, as VQGAN does (Esser et al. 2021,
equation 7), it also holds for decoders that put out spectra.
"""

import torch
from torch import Tensor


class Balancer:
    """Rescales the gradients that several losses send into one output, usually the decoded waveform.

    Each loss's gradient is divided by a running mean of its norm and multiplied by its share of the weights:
    with weights ``{"mel": 3, "adversarial": 1}`` the mel loss gives three quarters of the gradient, however
    large its values are. Shares are taken over the losses that are present, so a loss may start late.

    The norm is that of one example, averaged over the batch. Unlike the paper, the sum is divided by the
    batch size, so that neither the batch size nor the number of processes changes the step.

    Equal norms at the waveform need not mean equal pull on the network. A log-spectral loss has its gradient where
    the sound is soft; a decoder whose magnitudes are exponentials multiplies it by just that softness. In a trained
    codec of that kind a unit of gradient at the waveform moved the decoder 76 times as much when it came from the
    waveform loss as when it came from the mel loss, 10 times from the adversarial loss, 20 to 40 times from feature
    matching, so that a mel loss with a share of 0.22 had a pull of 0.01. Hence ``at``: weights of the network at
    which norms are measured instead.

    Args:
        weights: the share of each loss, at least 0; a loss with weight 0 is neither computed back nor counted.
        decay: of the running mean, per step.
        norm: of the balanced gradient, if all gradients pointed one way: of one example, or at ``at``.
    """

    def __init__(self, weights: dict[str, float], decay: float = 0.999, norm: float = 1.0):
        negative = [name for name, weight in weights.items() if weight < 0]
        if negative:
            raise ValueError(f"weight of loss {negative[0]!r} is negative")
        self.weights = dict(weights)
        self.decay = decay
        self.norm = norm
        # Per loss: the decayed sum of norms and the decayed count, whose quotient is unbiased from the first step.
        self._sums: dict[str, Tensor] = {}

    def __call__(
        self, losses: dict[str, Tensor], output: Tensor, at: Tensor | None = None, measure: bool = True
    ) -> Tensor:
        """One scalar whose value is the weighted mean of the losses and whose gradient is the balanced one.

        ``losses`` are scalars that depend on ``output`` (B, ...), which must be part of the graph of the network
        that is trained. Losses that do not pass through the output, such as a commitment loss, are added beside.
        ``at``: weights that ``output`` depends on, best those of the last layer; else norms are those at ``output``.
        ``measure``: False goes by the means so far, which takes one way back through the losses instead of one for
        each; a loss that was never measured is measured anyway.
        Raises ValueError for a loss without a weight or without a path from the output.
        """
        unknown = sorted(set(losses) - set(self.weights))
        if unknown:
            raise ValueError(f"loss {unknown[0]!r} has no weight; weights are given for: {', '.join(self.weights)}")
        active = {name: loss for name, loss in losses.items() if self.weights[name] > 0}
        total_weight = sum(self.weights[name] for name in active)
        shares = {name: self.weights[name] / total_weight for name in active}
        value = sum((shares[name] * loss.detach() for name, loss in active.items()), output.new_zeros(()))
        if not measure and active.keys() <= self._sums.keys():
            examples = len(output) if at is None else 1
            surrogate = sum(
                loss * (shares[name] * self.norm / examples / self._mean(name)) for name, loss in active.items()
            )
            return surrogate - surrogate.detach() + value
        balanced = torch.zeros_like(output)
        for name, loss in active.items():
            gradient = _gradient(name, loss, output)
            if at is None:
                norm, examples = gradient.flatten(1).norm(dim=1).mean(), len(output)
            else:
                norm, examples = torch.autograd.grad(output, at, gradient, retain_graph=True)[0].norm(), 1
            balanced += gradient * (shares[name] * self.norm / examples / self._running_norm(name, norm))
        # The gradient of (output * balanced).sum() is `balanced`; its own value means nothing and is taken away.
        surrogate = (output * balanced).sum()
        return surrogate - surrogate.detach() + value

    @property
    def norms(self) -> dict[str, float]:
        """The running mean of each loss's gradient norm, for the log."""
        return {name: (total / count).item() for name, (total, count) in self._sums.items()}

    def state_dict(self) -> dict[str, Tensor]:
        """The running means, so that a resumed run continues as if never stopped."""
        return {name: sums.clone() for name, sums in self._sums.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up running means; those of losses without a weight here are dropped."""
        self._sums = {name: sums.clone() for name, sums in state.items() if name in self.weights}

    def _running_norm(self, name: str, norm: Tensor) -> Tensor:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(norm)
            norm /= torch.distributed.get_world_size()
        old = self._sums.get(name, norm.new_zeros(2)).to(norm.device)
        new = self.decay * old + (1 - self.decay) * torch.stack([norm, torch.ones_like(norm)])
        # One broken step must not spoil the mean for the thousand steps after it.
        self._sums[name] = torch.where(norm.isfinite(), new, old)
        return self._mean(name)

    def _mean(self, name: str) -> Tensor:
        total, count = self._sums[name]
        return (total / count).clamp(min=1e-12)


def _gradient(name: str, loss: Tensor, output: Tensor) -> Tensor:
    gradient = None
    if loss.requires_grad:
        (gradient,) = torch.autograd.grad(loss, output, retain_graph=True, allow_unused=True)
    if gradient is None:
        raise ValueError(f"loss {name!r} does not depend on the output: add it beside the balanced losses")
    return gradient
