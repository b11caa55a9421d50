import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.nn.seanet import SEANetConfig, SEANetDecoder, SEANetEncoder

HOP = 12
VARIANTS = [
    {},
    {"activation": "snake"},
    {"lstm": 2},
    {"residual_kernel": 7, "dilations": (1, 3)},
    {"strides": (12,)},
]


def config(**changes) -> SEANetConfig:
    return SEANetConfig(**{"channels": 2, "strides": (2, 2, 3), **changes})


def pair(**changes) -> tuple[SEANetEncoder, SEANetDecoder]:
    torch.manual_seed(0)
    return SEANetEncoder(4, HOP, config(**changes)).eval(), SEANetDecoder(4, HOP, config(**changes)).eval()


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def streamed(module: torch.nn.Module, x: torch.Tensor, chunks: list[int]) -> torch.Tensor:
    state = module.initial_state(len(x), dtype=x.dtype)
    outputs = []
    for chunk in x.split(chunks, dim=-1):
        y, state = module.step(chunk, state)
        outputs.append(y)
    return torch.cat(outputs, dim=-1)


@pytest.mark.parametrize("changes", VARIANTS)
@pytest.mark.parametrize("frames", [[1] * 24, [24], [1, 7, 2, 14], [20, 3, 1]])
def test_streaming_equals_offline(changes, frames):
    encoder, decoder = pair(**changes)
    wave, latents = noise(2, 1, 24 * HOP), noise(2, 4, 24)
    with torch.no_grad():
        encoded, decoded = encoder(wave), decoder(latents)
    assert encoded.shape == (2, 4, 24) and decoded.shape == (2, 1, 24 * HOP)
    assert encoded.std() > 1e-3 and decoded.std() > 1e-3
    torch.testing.assert_close(streamed(encoder, wave, [HOP * n for n in frames]), encoded, atol=1e-4, rtol=0)
    torch.testing.assert_close(streamed(decoder, latents, frames), decoded, atol=1e-4, rtol=0)


@pytest.mark.parametrize("changes", VARIANTS)
def test_delay_is_one_frame(changes):
    encoder, decoder = pair(**changes)
    wave = noise(1, 1, 10 * HOP).requires_grad_()
    encoder(wave)[..., 4].sum().backward()
    reach = wave.grad[0, 0].nonzero().max().item()
    assert reach == 5 * HOP - 1  # frame 4 hears up to its own last sample

    latents = noise(1, 4, 10).requires_grad_()
    decoder(latents)[..., 5 * HOP - 1].sum().backward()
    assert latents.grad[0].abs().sum(0).nonzero().max().item() == 4  # and its samples need no later frame
    assert encoder.delay == decoder.delay == 0


@pytest.mark.parametrize("changes", VARIANTS)
def test_batched_equals_single(changes):
    encoder, decoder = pair(**changes)
    wave, latents = noise(3, 1, 5 * HOP), noise(3, 4, 5)
    with torch.no_grad():
        for index in range(3):
            one = slice(index, index + 1)
            torch.testing.assert_close(encoder(wave)[one], encoder(wave[one]), atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(decoder(latents)[one], decoder(latents[one]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("changes", VARIANTS)
def test_gradients_reach_every_parameter(changes):
    encoder, decoder = pair(**changes)
    decoder(encoder(noise(1, 1, 8 * HOP))).square().mean().backward()
    for module in (encoder, decoder):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("changes", VARIANTS)
def test_silence_gives_silence_before_training(changes):
    encoder, decoder = pair(**changes)
    with torch.no_grad():
        assert encoder(torch.zeros(1, 1, 5 * HOP)).abs().max() == 0
        assert decoder(torch.zeros(1, 4, 5)).abs().max() == 0


def test_last_layer_is_exact_under_autocast():
    _, decoder = pair()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        wave = decoder(noise(1, 4, 5))
        chunk, _ = decoder.step(noise(1, 4, 5), decoder.initial_state(1))
    assert wave.dtype == chunk.dtype == torch.float32


@pytest.mark.parametrize("values", [{"strides": []}, {"strides": [2, 0]}, {"activation": "relu"}, {"stride": [2]}])
def test_impossible_configs_are_refused(values):
    with pytest.raises(UserError):
        make_config(SEANetConfig, values)


def test_strides_must_make_the_hop():
    with pytest.raises(UserError, match="2 x 2 x 3 make 12 samples per frame, hop is 10"):
        SEANetEncoder(4, 10, config())
