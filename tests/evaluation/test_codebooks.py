import numpy as np
import pytest

from speechgen.evaluation.codebooks import codebook_facts


def test_usage_entropy_and_perplexity_by_hand():
    even = np.tile(np.arange(4), 8)
    two = np.tile([0, 1], 16)
    facts = codebook_facts([np.stack([even, two])[:, :20], np.stack([even, two])[:, 20:]], 8)
    assert (facts["size"], facts["frames"]) == (8, 32)
    assert facts["usage"] == [0.5, 0.25]
    assert facts["entropy"] == pytest.approx([2.0, 1.0])
    assert facts["perplexity"] == pytest.approx([4.0, 2.0])
    assert facts["redundancy"] == pytest.approx(1 - 1.5 / 3)


def test_a_collapsed_codebook_is_seen():
    facts = codebook_facts([np.zeros((1, 50), int)], 1024)
    assert facts["perplexity"] == [1.0] and facts["entropy"] == [0.0] and facts["usage"] == [1 / 1024]


def test_no_codes_have_no_facts():
    assert codebook_facts([], 16) is None
    assert codebook_facts([np.zeros((2, 0), int)], 16) is None
