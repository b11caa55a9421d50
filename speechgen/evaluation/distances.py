"""How far two sets of points lie apart, whatever the points are."""

import torch
from torch import Tensor


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Between points (N, D) and (M, D): 2 E|a - b| - E|a - a'| - E|b - b'|, at least 0 (Szekely & Rizzo 2013)."""
    between = torch.cdist(a, b).mean()
    within = [torch.cdist(x, x).sum() / (len(x) * (len(x) - 1)) for x in (a, b)]
    return (2 * between - within[0] - within[1]).clamp(min=0).item()


def sliced_wasserstein(a: Tensor, b: Tensor, generator: torch.Generator, slices: int = 128) -> float:
    """Mean distance of the sorted shadows of points (N, D) and (N, D) on random lines (Bonneel et al. 2015)."""
    if len(a) != len(b):
        raise ValueError(f"sets of the same size are compared, not {len(a)} and {len(b)} points")
    lines = torch.nn.functional.normalize(torch.randn(a.shape[1], slices, generator=generator), dim=0)
    return ((a @ lines).sort(dim=0).values - (b @ lines).sort(dim=0).values).abs().mean().item()


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Between the Gaussians fitted to features (N, D) and (M, D) (Heusel et al. 2017, "FID").

    The trace of the root of the covariances' product is the sum of the roots of its eigenvalues, which are those of a
    symmetric matrix: no complex numbers arise.
    """
    a, b = a.double(), b.double()
    covariances = [torch.cov(x.T).view(x.shape[1], x.shape[1]) for x in (a, b)]
    values, vectors = torch.linalg.eigh(covariances[0])
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    crossed = torch.linalg.eigvalsh(root @ covariances[1] @ root).clamp(min=0).sqrt().sum()
    apart = (a.mean(0) - b.mean(0)).square().sum()
    return (apart + covariances[0].trace() + covariances[1].trace() - 2 * crossed).clamp(min=0).item()
