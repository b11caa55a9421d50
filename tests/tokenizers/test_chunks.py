"""Coding in chunks: the same as at once, whatever the length."""

import resource

import pytest
import torch

from speechgen.nn.spectral import SpectralConfig
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.chunks import decode_in_chunks, decode_stream, encode_in_chunks, encode_stream
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


@pytest.mark.parametrize("pieces", [[5000], [1, 2, 4997], [320] * 15 + [200], [3100, 0, 1900]])
def test_pieces_of_any_length_are_the_whole(codec, pieces):
    wave = 0.1 * torch.randn(2, 1, 5000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        tokens = codec.encode(wave)
    streamed = [part.values for part in encode_stream(codec, wave.split(pieces, -1), seconds=0.1)]
    assert torch.equal(torch.cat(streamed, -1), tokens.values)


def test_ten_minutes_in_pieces_are_ten_minutes_at_once(codec):
    """A slow sweep through rising and falling loudness: a click at any seam would stand out of it."""
    time = torch.arange(600 * 16000, dtype=torch.float64) / 16000
    sweep = torch.sin(2 * torch.pi * (200 * time + 0.5 * time**2)) * torch.sin(0.05 * time).abs()
    wave = (0.3 * sweep).float()[None, None]
    with torch.no_grad():
        tokens = codec.encode(wave)
        decoded = codec.decode(tokens)
    streamed = torch.cat([part.values for part in encode_stream(codec, wave.split(123_457, -1), seconds=7.3)], -1)
    # Sums of another order may choose the other one of two codes that are equally near; hardly ever, though.
    assert (streamed != tokens.values).float().mean() < 1e-3
    values = (Tokens(part, "discrete") for part in tokens.values.split(777, -1))
    heard = torch.cat(list(decode_stream(codec, values, seconds=3.1)), -1)
    torch.testing.assert_close(heard, decoded, atol=1e-4, rtol=0)


def test_memory_does_not_grow_with_the_hours(codec):
    def resident() -> float:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20

    def silence_and_noise(seconds: int):
        generator = torch.Generator().manual_seed(0)
        for _ in range(seconds // 20):
            yield 0.1 * torch.randn(1, 1, 20 * 16000, generator=generator)

    def run(seconds: int) -> int:
        return sum(wave.shape[-1] for wave in decode_stream(codec, encode_stream(codec, silence_and_noise(seconds), 1)))

    run(40)
    before = resident()
    assert run(3600) == 3600 * 16000
    assert resident() - before < 40  # MiB; the hour itself has 220
