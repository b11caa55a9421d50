"""An entropy model of random codes with a pattern, small enough to be fitted in a moment."""

from collections.abc import Callable

import pytest
import torch

from speechgen.tokenizers.entropy import EntropyModel
from speechgen.training.entropy import EntropyConfig, fit_entropy

SMALL = EntropyConfig(past_frames=2, embedding=8, hidden=16, final=8, steps=150, learning_rate=2e-2, batch=8, frames=40)


def _patterned_codes(frames: int, codebooks: int = 3, size: int = 16, seed: int = 0) -> torch.Tensor:
    """Codes (K, T): the first follows the one before it four times in five, the others follow the first."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(size, (codebooks, frames), generator=generator)
    follows = torch.rand(codebooks, frames, generator=generator) < 0.8
    for t in range(1, frames):
        if follows[0, t]:
            codes[0, t] = (codes[0, t - 1] + 1) % size
    for k in range(1, codebooks):
        codes[k] = torch.where(follows[k], (codes[0] * (k + 2)) % size, codes[k])
    return codes


@pytest.fixture(scope="session")
def patterned_codes() -> Callable[..., torch.Tensor]:
    return _patterned_codes


@pytest.fixture(scope="session")
def small_entropy() -> EntropyConfig:
    return SMALL


@pytest.fixture(scope="session")
def entropy_model() -> EntropyModel:
    return fit_entropy(_patterned_codes(6000), 16, SMALL)
