"""The codec as a whole: lengths, lines that line up, batches of unequal recordings, bitrates."""

from copy import deepcopy

import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.codec import Codec, CodecConfig, build_codec

HOP, WINDOW = 40, 120
DELAY_FRAMES = (WINDOW - HOP) // HOP


@pytest.fixture(scope="module")
def codec() -> Codec:
    stack = {"width": 12, "blocks": 2, "window": WINDOW}
    rvq = {"codebooks": 3, "codebook_size": 16, "code_width": 4, "start_step": 0}
    values = {"sample_rate": 4000, "hop": HOP, "width": 6, "encoder": stack, "decoder": stack, "bottleneck": rvq}
    torch.manual_seed(0)
    return build_codec(make_config(CodecConfig, values)).eval().requires_grad_(False)


def noise(*shape: int) -> torch.Tensor:
    return 0.2 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("samples", [1, 39, 40, 41, 400, 999])
@pytest.mark.parametrize("codebooks", [1, 2, 3, None])
def test_how_long_codes_and_decoded_waves_are(samples, codebooks, codec):
    wave = noise(2, 1, samples)
    tokens = codec.encode(wave, codebooks)
    frames = -(-samples // HOP) + DELAY_FRAMES
    assert tokens.kind == "discrete" and tokens.steps == frames
    assert tokens.values.shape == (2, codebooks or 3, frames) and tokens.values.dtype == torch.long
    assert 0 <= tokens.values.min() and tokens.values.max() < 16
    made = codec.decode(tokens)
    assert made.shape == (2, 1, -(-samples // HOP) * HOP) and made.isfinite().all()


@pytest.mark.parametrize("samples", [1, 400, 999])
def test_how_long_latents_are(samples, codec):
    latents = codec.latents(noise(2, 1, samples))
    assert latents.shape == (2, -(-samples // HOP) + DELAY_FRAMES, 6)
    assert codec.decode_latents(latents).shape == (2, 1, -(-samples // HOP) * HOP)


def test_a_batch_of_unequal_recordings_is_each_alone(codec):
    waves = [noise(1, 1, samples) for samples in (400, 237, 40)]
    batch = torch.cat([torch.nn.functional.pad(wave, (0, 400 - wave.shape[-1])) for wave in waves])
    tokens = codec.encode(batch)
    decoded, latents = codec.decode(tokens), codec.latents(batch)
    for row, wave in enumerate(waves):
        alone = codec.encode(wave)
        assert torch.equal(tokens.values[row, :, : alone.steps], alone.values[0])
        torch.testing.assert_close(latents[row, : alone.steps], codec.latents(wave)[0], atol=1e-5, rtol=1e-4)
        made = codec.decode(alone)
        torch.testing.assert_close(decoded[row, :, : made.shape[-1]], made[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("chunks", [[1] * 10, [4, 1, 5], [10]])
@pytest.mark.parametrize("codebooks", [1, 3])
def test_a_stream_is_the_whole(chunks, codebooks, codec):
    wave = noise(2, 1, 10 * HOP)
    tokens = codec.encode(wave, codebooks)
    state, parts = codec.initial_state(2), []
    for chunk in (*wave.split([frames * HOP for frames in chunks], -1), torch.zeros(2, 1, codec.delay)):
        part, state = codec.encode_step(chunk, state, codebooks)
        parts.append(part.values)
    assert torch.equal(torch.cat(parts, -1), tokens.values)
    state, pieces = codec.initial_state(2), []
    for part in parts:
        piece, state = codec.decode_step(Tokens(part, "discrete"), state)
        pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, -1), codec.decode(tokens), atol=1e-5, rtol=1e-4)


def test_a_stream_of_latents_is_the_whole(codec):
    latents = codec.latents(noise(1, 1, 400))
    state, pieces = codec.initial_state(), []
    for part in latents.split([1, 2, 9], 1):
        piece, state = codec.decode_latents_step(part, state)
        pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, -1), codec.decode_latents(latents), atol=1e-5, rtol=1e-4)


def test_codes_of_latents_are_codes_of_the_wave(codec):
    wave = noise(2, 1, 400)
    for codebooks in (1, 3, None):
        assert torch.equal(codec.quantise(codec.latents(wave), codebooks).values, codec.encode(wave, codebooks).values)


def test_latents_are_normalised_by_what_was_measured(codec):
    wave = noise(1, 1, 400)
    plain = codec.latents(wave)
    mean, deviation = torch.arange(6.0), torch.arange(1.0, 7.0)
    measured = deepcopy(codec)
    measured.latent_mean.copy_(mean)
    measured.latent_deviation.copy_(deviation)
    scaled = measured.latents(wave)
    torch.testing.assert_close(scaled * deviation + mean, plain, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(measured.decode_latents(scaled), codec.decode_latents(plain), atol=1e-5, rtol=1e-4)


def test_what_is_trained_is_as_long_as_what_came_in_and_in_its_place(codec):
    """Training's reconstruction is, code for code, what encoding and decoding give."""
    codec, wave = deepcopy(codec), noise(2, 1, 400)
    codec.bottleneck.config = codec.bottleneck.config.model_copy(update={"dropout": 0.0, "continuous": 0.0})
    codec.bottleneck.seen.fill_(1)  # past the start, so that no code moves
    made, quantized = codec(wave, torch.Generator().manual_seed(0))
    assert made.shape == wave.shape
    assert torch.equal(quantized.codes, codec.encode(wave).values)
    torch.testing.assert_close(made, codec.decode(codec.encode(wave)), atol=1e-5, rtol=1e-4)


def test_bitrates(codec):
    # 100 frames per second of 4 bits
    assert codec.frame_rate == 100 and [codec.kbps(n) for n in (1, 2, 3)] == pytest.approx([0.4, 0.8, 1.2])
    assert [codec.codebooks_for(kbps) for kbps in (0.4, 0.79, 0.8, 1.19, 1.2)] == [1, 1, 2, 2, 3]
    for kbps in (0.39, 0.0, -1.0, 1.6, 6.0):
        with pytest.raises(UserError, match="kbit/s: this codec has 0.4 to 1.2 kbit/s"):
            codec.codebooks_for(kbps)
    for count in (0, 4, -1):
        with pytest.raises(UserError, match=f"{count} codebooks: this codec has 1 to 3"):
            codec.encode(noise(1, 1, 80), count)


def test_the_presets_of_the_configs():
    config = CodecConfig()
    codec = build_codec(config)
    assert (codec.delay, codec.hop, codec.codebooks, codec.codebook_size) == (640, 320, 12, 1024)
    assert codec.kbps(12) == pytest.approx(6.0)
