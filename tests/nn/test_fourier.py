"""Spectra by matrix products are those of the fast transform."""

import pytest
import torch

from speechgen.nn.fourier import Fourier, MatrixFourier


@pytest.mark.parametrize("window", [1, 2, 7, 120, 960])
def test_products_are_the_fast_transform(window):
    frames = torch.randn(3, 5, window, generator=torch.Generator().manual_seed(0))
    fast, products = Fourier(window), MatrixFourier(window)
    for one, other in zip(products(frames), fast(frames), strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-4)
    real, imaginary = torch.randn(2, 3, 5, window // 2 + 1, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(products.inverse(real, imaginary), fast.inverse(real, imaginary), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(products.inverse(*products(frames)), frames, atol=1e-4, rtol=1e-3)
