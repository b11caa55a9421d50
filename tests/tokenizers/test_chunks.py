"""Coding in chunks: the same as at once, whatever the length."""

import pytest
import torch

from speechgen.nn.spectral import SpectralConfig
from speechgen.tokenizers.chunks import decode_in_chunks, encode_in_chunks
from speechgen.tokenizers.codec import CodecConfig, build_codec
from speechgen.tokenizers.rvq import RVQConfig


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    stack = SpectralConfig(width=16, blocks=2, window=960)
    bottleneck = RVQConfig(codebooks=3, codebook_size=16, code_width=4)
    return build_codec(CodecConfig(width=8, encoder=stack, decoder=stack, bottleneck=bottleneck)).eval()


@pytest.mark.parametrize("samples", [1, 319, 320, 5000, 16000])
def test_chunks_are_what_coding_at_once_is(codec, samples):
    wave = 0.1 * torch.randn(1, 1, samples, generator=torch.Generator().manual_seed(samples))
    with torch.no_grad():
        tokens = codec.encode(wave, 2)
        decoded = codec.decode(tokens)
    chunked = encode_in_chunks(codec, wave, 2, seconds=0.1)
    assert torch.equal(chunked.values, tokens.values)
    torch.testing.assert_close(decode_in_chunks(codec, tokens, seconds=0.06), decoded, atol=1e-5, rtol=1e-4)
    assert decoded.shape[-1] >= samples
