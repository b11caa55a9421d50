"""What heads share: guidance, drawing from logits, means by weight."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Generators = torch.Generator | Sequence[torch.Generator] | None  # one for all rows, or one for each


def gaussian(shape: tuple[int, ...], generator: Generators, like: Tensor) -> Tensor:
    """Standard normal numbers (N, ...), of the device and type of ``like``."""
    draw = {"device": like.device, "dtype": like.dtype}
    if isinstance(generator, Sequence):
        return torch.cat([torch.randn((1, *shape[1:]), generator=own, **draw) for own in generator])
    return torch.randn(shape, generator=generator, **draw)


def guide(logits: Tensor, guidance: float) -> Tensor:
    """Rows (2N, ...) of conditioned then null logits -> (N, ...) guided ones: ``null + g (conditioned - null)``."""
    conditioned, null = logits.chunk(2)
    return torch.lerp(null, conditioned, guidance)


def draw(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generators = None,
) -> Tensor:
    """Draw one entry per row: logits (..., V) -> (...) long.

    temperature 0 takes the largest. top_k keeps the k largest; top_p keeps the fewest of the largest whose
    probabilities (after temperature) sum to at least p (nucleus sampling, Holtzman et al. 2020).
    """
    if temperature < 0:
        raise ValueError(f"temperature must not be negative, not {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie in (0, 1], not {top_p}")
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits.float() / temperature
    if top_k is not None and top_k < logits.shape[-1]:
        smallest_kept = logits.topk(top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < smallest_kept, -torch.inf)
    if top_p is not None and top_p < 1:
        sorted_logits, order = logits.sort(dim=-1, descending=True)
        probabilities = sorted_logits.softmax(dim=-1)
        # An entry goes when those before it are already enough; the first is never lost.
        enough_before = probabilities.cumsum(dim=-1) - probabilities >= top_p
        logits = logits.masked_fill(enough_before.scatter(-1, order, enough_before), -torch.inf)
    probabilities = F.softmax(logits, dim=-1)
    if isinstance(generator, Sequence):
        rows = zip(probabilities.flatten(1, -2) if probabilities.dim() > 2 else probabilities[:, None], generator)
        flat = torch.cat([torch.multinomial(row, 1, generator=own) for row, own in rows])
    else:
        flat = torch.multinomial(probabilities.flatten(end_dim=-2), 1, generator=generator)
    return flat.view(logits.shape[:-1])


def pick(logits: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
    """The entries that uniforms (...,) in [0, 1) pick from logits (..., V) -> (...) long: the inverse of the sum.

    The same uniform picks the same entry wherever the same logits were computed; in doubles, so that the rounding
    of sums decides nothing. Temperature 0 takes the largest.
    """
    if temperature < 0:
        raise ValueError(f"temperature must not be negative, not {temperature}")
    if temperature == 0:
        return logits.argmax(dim=-1)
    sums = (logits.double() / temperature).softmax(dim=-1).cumsum(dim=-1)
    return (sums[..., :-1] <= uniforms.unsqueeze(-1)).sum(dim=-1)


def weighted_mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of losses (N,) by weights (N,), bool or not; where a weight is 0 the loss may be anything."""
    if weights is None:
        return losses.mean()
    weights = weights.to(losses.dtype)
    return (losses.masked_fill(weights == 0, 0) * weights).sum() / weights.sum().clamp(min=1e-8)


def code_loss(logits: Tensor, target: Tensor, weights: Tensor | None, label_smoothing: float) -> Tensor:
    """Cross-entropy averaged by weight: logits (N, K, V), target (N, K) long, weights (N,) or (N, K), bool or not.

    Targets of weight 0 may hold anything, special tokens outside the codebook included.
    """
    if weights is None:
        weights = torch.ones_like(target, dtype=torch.float32)
    elif weights.dim() == 1:
        weights = weights.unsqueeze(-1).expand_as(target)
    weights = weights.float()
    target = target.masked_fill(weights == 0, 0)
    losses = F.cross_entropy(
        logits.flatten(0, 1).float(), target.flatten(), reduction="none", label_smoothing=label_smoothing
    )
    return (losses * weights.flatten()).sum() / weights.sum().clamp(min=1e-8)
