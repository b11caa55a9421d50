"""The frame-rate stack: what it sees, when it sounds, and that its frames overlap to one waveform."""

import pytest
import torch

from speechgen.nn.spectral import SpectralConfig, SpectralDecoder, SpectralEncoder

HOP = 40


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[80, 120, 160])
def config(request) -> SpectralConfig:
    torch.manual_seed(0)
    return SpectralConfig(width=12, blocks=2, kernel=3, window=request.param)


@torch.no_grad()
def test_a_frame_of_latents_sees_no_later_sample(config):
    encoder = SpectralEncoder(6, HOP, config)
    wave = noise(2, 1, 20 * HOP)
    latents = encoder(wave)
    assert latents.shape == (2, 6, 20)
    changed = wave.clone()
    changed[..., 10 * HOP :] = 0
    torch.testing.assert_close(encoder(changed)[..., :10], latents[..., :10], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(encoder(changed)[..., 10:], latents[..., 10:], atol=1e-3)


@torch.no_grad()
def test_a_sample_waits_for_no_later_frame_than_the_delay(config):
    decoder = SpectralDecoder(6, HOP, config)
    assert decoder.delay == config.window - HOP
    latents = noise(2, 6, 20)
    wave = decoder(latents)
    assert wave.shape == (2, 1, 20 * HOP)
    changed = latents.clone()
    changed[..., 10:] += 1
    torch.testing.assert_close(decoder(changed)[..., : 10 * HOP], wave[..., : 10 * HOP], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(decoder(changed)[..., 10 * HOP : 11 * HOP], wave[..., 10 * HOP : 11 * HOP], atol=1e-4)


@pytest.mark.parametrize("chunks", [[1] * 12, [5, 1, 6]])
@torch.no_grad()
def test_steps_are_the_whole(chunks, config):
    encoder, decoder = SpectralEncoder(6, HOP, config), SpectralDecoder(6, HOP, config)
    wave = noise(2, 1, 12 * HOP)
    for part, x, size in ((encoder, wave, HOP), (decoder, encoder(wave), 1)):
        state, pieces = part.initial_state(2), []
        for chunk in x.split([frames * size for frames in chunks], dim=-1):
            y, state = part.step(chunk, state)
            pieces.append(y)
        torch.testing.assert_close(torch.cat(pieces, -1), part(x), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_overlapping_frames_add_up_to_the_waveform(config):
    """Analysis by the decoder's own window, then its overlap-add, gives back the samples, late by the delay."""
    decoder = SpectralDecoder(6, HOP, config)
    wave = noise(1, 1, 30 * HOP)
    padded = torch.nn.functional.pad(wave, (config.window - HOP, 0))
    frames = padded[:, 0].unfold(-1, config.window, HOP) * torch.hann_window(config.window)
    decoder._frames = lambda x: frames * decoder.taper  # as if the network had found these frames
    made = decoder(torch.zeros(1, 6, 30))
    level = (made[..., decoder.delay :] / wave[..., : 30 * HOP - decoder.delay]).flatten()
    assert level.std() / level.mean().abs() < (0.4 if config.window == 2 * HOP else 0.05)


@torch.no_grad()
def test_silence_and_full_scale_are_both_finite(config):
    encoder, decoder = SpectralEncoder(6, HOP, config), SpectralDecoder(6, HOP, config)
    for wave in (torch.zeros(1, 1, 400), torch.ones(1, 1, 400), torch.full((1, 1, 400), 1e-9)):
        assert encoder(wave).isfinite().all()
    for latents in (torch.zeros(1, 6, 10), torch.full((1, 6, 10), 1e4)):
        assert decoder(latents).isfinite().all()


def test_gradients_are_finite_at_silence(config):
    encoder, decoder = SpectralEncoder(6, HOP, config), SpectralDecoder(6, HOP, config)
    wave = torch.zeros(1, 1, 400, requires_grad=True)
    decoder(encoder(wave)).square().sum().backward()
    assert wave.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in [*encoder.parameters(), *decoder.parameters()])


@torch.no_grad()
def test_spectra_stay_in_float32_under_autocast(config):
    decoder = SpectralDecoder(6, HOP, config)
    latents = noise(1, 6, 10)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert decoder(latents).dtype == torch.float32
        torch.testing.assert_close(decoder(latents), decoder(latents))
