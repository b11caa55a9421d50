"""Drawing from logits."""

import pytest
import torch

from speechgen.heads.sampling import draw

PROBABILITIES = torch.tensor([0.1, 0.4, 0.3, 0.2])


def drawn(**options) -> torch.Tensor:
    """Frequencies of 4000 draws from PROBABILITIES."""
    codes = draw(PROBABILITIES.log().expand(40, 100, 4), generator=torch.Generator().manual_seed(0), **options)
    assert codes.shape == (40, 100)
    return torch.bincount(codes.flatten(), minlength=4) / 4000


def test_draws_follow_the_probabilities() -> None:
    torch.testing.assert_close(drawn(), PROBABILITIES, atol=0.03, rtol=0)
    cold = PROBABILITIES**2 / (PROBABILITIES**2).sum()
    torch.testing.assert_close(drawn(temperature=0.5), cold, atol=0.03, rtol=0)
    assert drawn(temperature=0).tolist() == [0, 1, 0, 0]


def test_top_k_and_top_p_cut_the_tail() -> None:
    two = torch.tensor([0.0, 4 / 7, 3 / 7, 0.0])
    torch.testing.assert_close(drawn(top_k=2), two, atol=0.03, rtol=0)
    # 0.4 is not 0.5 yet, 0.4 + 0.3 is.
    torch.testing.assert_close(drawn(top_p=0.5), two, atol=0.03, rtol=0)
    assert drawn(top_p=0.01).tolist() == [0, 1, 0, 0]
    torch.testing.assert_close(drawn(top_k=9, top_p=1.0), PROBABILITIES, atol=0.03, rtol=0)


@pytest.mark.parametrize("options", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_options_outside_their_range_are_named(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        draw(torch.zeros(1, 3), **options)
