"""Every encoder and decoder with every bottleneck: one training step, a round trip to disk, streaming, batching."""

import itertools

import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.load import load, save_model
from speechgen.tokenizers.codec import Codec, CodecConfig, build_codec

HOP = 40
STACKS = {
    "spectral": {"kind": "spectral", "width": 16, "blocks": 1, "window": 80},
    "seanet": {"kind": "seanet", "channels": 4, "strides": [2, 4, 5], "dilations": [1, 3]},
}
BOTTLENECKS = {
    "rvq": {"kind": "rvq", "codebooks": 3, "codebook_size": 16, "code_width": 4, "start_step": 0, "revive_every": 1000},
    "fsq": {"kind": "fsq", "codebooks": 3, "levels": [4, 3]},
    "vae": {"kind": "vae"},
}
ALL = list(itertools.product(STACKS, BOTTLENECKS))


def build(stack: str, kind: str, **changes) -> Codec:
    values = {"sample_rate": 4000, "hop": HOP, "width": 8, "encoder": STACKS[stack], "decoder": STACKS[stack]}
    torch.manual_seed(0)
    return build_codec(make_config(CodecConfig, {**values, "bottleneck": BOTTLENECKS[kind], **changes})).eval()


def tone(batch: int = 1, samples: int = 20 * HOP) -> torch.Tensor:
    pitch = torch.linspace(0.02, 0.05, batch)[:, None, None]
    return 0.3 * torch.sin(2 * torch.pi * pitch * torch.arange(samples))


@pytest.mark.parametrize("stack, bottleneck", ALL)
def test_training_reaches_every_parameter_and_lowers_the_loss(stack, bottleneck):
    # no dropout of codebooks and no unquantised examples, so that no parameter sits a step out by chance
    options = {} if bottleneck == "vae" else {"dropout": 0.0, "continuous": 0.0}
    codec = build(stack, bottleneck, bottleneck={**BOTTLENECKS[bottleneck], **options}).train()
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(codec.parameters(), lr=3e-3)
    wave, losses = tone(batch=4), []
    for _ in range(30):
        made, quantized = codec(wave, generator)
        losses.append((made - wave).abs().mean())
        optimizer.zero_grad()
        (losses[-1] + sum(quantized.losses.values())).backward()
        if len(losses) == 1:
            for name, parameter in codec.named_parameters():
                assert parameter.grad is not None and parameter.grad.isfinite().all(), name
                assert parameter.grad.abs().sum() > 0, name
        optimizer.step()
    assert made.shape == wave.shape
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("stack, bottleneck", ALL)
def test_saved_and_loaded_is_the_same_codec(stack, bottleneck, tmp_path):
    codec = build(stack, bottleneck)
    save_model(tmp_path / "codec", codec.config, codec, card="A tiny codec.")
    loaded = load(tmp_path / "codec")
    assert loaded.config == codec.config
    wave = tone()
    tokens = codec.encode(wave)
    assert torch.equal(loaded.encode(wave).values, tokens.values)
    torch.testing.assert_close(loaded.decode(tokens), codec.decode(tokens))


@pytest.mark.parametrize("stack, bottleneck", ALL)
@pytest.mark.parametrize("chunks", [[1] * 20, [3, 16, 1], [20]])
@torch.no_grad()
def test_streaming_equals_offline(stack, bottleneck, chunks):
    codec = build(stack, bottleneck)
    wave = tone(batch=2)
    tokens = codec.encode(wave)
    silence = [wave.new_zeros(2, 1, codec.delay)] if codec.delay else []
    state, values = codec.initial_state(2), []
    for chunk in [*wave.split([HOP * frames for frames in chunks], dim=-1), *silence]:
        step, state = codec.encode_step(chunk, state)
        values.append(step.values)
    torch.testing.assert_close(torch.cat(values, dim=-1), tokens.values, atol=1e-4, rtol=0)

    state, pieces = codec.initial_state(2), []
    for start, end in itertools.pairwise([0, *itertools.accumulate(chunks), tokens.steps]):
        if end > start:
            part = type(tokens)(tokens.values[..., start:end], tokens.kind)
            piece, state = codec.decode_step(part, state)
            pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, dim=-1), codec.decode(tokens), atol=1e-4, rtol=0)


@pytest.mark.parametrize("stack, bottleneck", ALL)
@torch.no_grad()
def test_batched_equals_single(stack, bottleneck):
    codec = build(stack, bottleneck)
    wave = tone(batch=3)
    tokens = codec.encode(wave)
    for index in range(3):
        alone = codec.encode(wave[index : index + 1])
        torch.testing.assert_close(alone.values[0], tokens.values[index], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(codec.decode(alone)[0], codec.decode(tokens)[index], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("stack, bottleneck", ALL)
@torch.no_grad()
def test_continuous_latents_decode_to_as_many_samples(stack, bottleneck):
    codec = build(stack, bottleneck)
    wave = tone(samples=20 * HOP - 7)
    latents = codec.latents(wave)
    assert latents.shape == (1, 20 + codec.delay // HOP, 8)
    assert codec.decode_latents(latents).shape == (1, 1, 20 * HOP)
    if bottleneck == "vae":  # its tokens are the same latents, before they are normalised
        torch.testing.assert_close(codec.decode_latents(latents), codec.decode(codec.encode(wave)))


def test_latents_are_normalised_after_training():
    codec = build("seanet", "vae").train()
    wave = tone(batch=4, samples=8 * HOP)
    generator = torch.Generator().manual_seed(0)
    for _ in range(800):
        codec(wave, generator)
    latents = codec.eval().latents(wave).flatten(0, 1)
    torch.testing.assert_close(latents.mean(0), torch.zeros(8), atol=0.1, rtol=0)
    torch.testing.assert_close(latents.std(0), torch.ones(8), atol=0.1, rtol=0)


@pytest.mark.parametrize("bottleneck", ["rvq", "fsq"])
def test_bitrate_follows_the_codebooks(bottleneck):
    codec = build("seanet", bottleneck)
    wave = tone()
    assert [codec.encode(wave, count).values.shape[1] for count in (1, 2, 3)] == [1, 2, 3]
    assert codec.codebooks_for(codec.kbps(2)) == 2
    for impossible in (0, 4):
        with pytest.raises(UserError, match="1 to 3"):
            codec.encode(wave, impossible)


def test_a_continuous_codec_has_no_bitrate():
    with pytest.raises(UserError, match="continuous"):
        build("seanet", "vae").codebooks_for(3.0)


@pytest.mark.parametrize("bottleneck", ["rvq", "fsq"])
def test_vectors_of_codes_add_up_to_what_is_decoded(bottleneck):
    codec = build("spectral", bottleneck)
    codes = codec.encode(tone()).values
    vectors = codec.code_vectors()
    assert vectors.shape == (3, codec.codebook_size, 8)
    total = sum(vectors[k][codes[:, k]] for k in range(3)).transpose(1, 2)
    torch.testing.assert_close(total, codec.bottleneck.decode(codes))


def test_encoder_and_decoder_may_differ():
    codec = build("spectral", "fsq", decoder=STACKS["seanet"])
    wave = tone()
    assert codec.decode(codec.encode(wave)).shape == wave.shape


def test_kind_may_be_left_out_for_the_usual_one():
    config = make_config(CodecConfig, {"encoder": {"width": 16}, "bottleneck": {"codebooks": 3}})
    assert config.encoder.kind == "spectral" and config.encoder.width == 16
    assert config.bottleneck.kind == "rvq" and config.bottleneck.codebooks == 3


@pytest.mark.parametrize(
    "values, message",
    [
        ({"encoder": {"kind": "seanet", "stride": [2]}}, "did you mean 'strides'"),
        ({"bottleneck": {"kind": "fsq", "level": [4]}}, "did you mean 'levels'"),
        ({"bottleneck": {"kind": "gumbel"}}, "gumbel"),
    ],
)
def test_mistakes_in_a_variant_are_named(values, message):
    with pytest.raises(UserError, match=message):
        make_config(CodecConfig, values)


def test_strides_that_do_not_make_the_hop_are_refused():
    with pytest.raises(UserError, match="make 40 samples per frame, hop is 80"):
        build("seanet", "rvq", hop=80)
