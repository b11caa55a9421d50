"""Mu-law codes come back as themselves, and quiet samples are rounded more finely than loud ones."""

import pytest
import torch

from speechgen.tokenizers.mulaw import MuLaw


@pytest.mark.parametrize("classes", [2, 16, 256, 65536])
def test_codes_survive_the_round_trip(classes: int) -> None:
    mulaw, codes = MuLaw(classes), torch.arange(classes)
    assert torch.equal(mulaw.encode(mulaw.decode(codes)), codes)


def test_error_grows_with_the_sample() -> None:
    mulaw = MuLaw()
    wave = torch.linspace(-1, 1, 10001)
    error = (mulaw.decode(mulaw.encode(wave)) - wave).abs()
    assert error.max() < 0.025
    assert error[wave.abs() < 0.01].max() < 0.0005
    assert mulaw.encode(torch.tensor([0.0, -2.0, 2.0])).tolist() == [mulaw.silence, 0, 255]


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        MuLaw(1)
