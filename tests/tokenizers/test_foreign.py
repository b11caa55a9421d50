"""Codecs saved by transformers, as our own: the same codes and audio, streamed too; what does not fit is named."""

import json
import math

import pytest
import safetensors.torch
import torch

from speechgen.errors import UserError
from speechgen.models.load import load
from speechgen.tokenizers.chunks import decode_in_chunks, encode_in_chunks

SEANET = {"num_filters": 4, "upsampling_ratios": [5, 4], "codebook_size": 16, "sampling_rate": 24000}
CONFIGS = {
    "encodec": {**SEANET, "hidden_size": 8, "num_residual_layers": 2, "target_bandwidths": [9.6, 19.2]},
    "dac": {
        "encoder_hidden_size": 4, "decoder_hidden_size": 24, "downsampling_ratios": [2, 5], "n_codebooks": 3,
        "codebook_size": 16, "codebook_dim": 4,
    },
    "mimi": {
        **SEANET, "hidden_size": 16, "codebook_dim": 8, "vector_quantization_hidden_dimension": 8,
        "num_quantizers": 4, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
        "intermediate_size": 24, "sliding_window": 6, "upsample_groups": 16, "num_residual_layers": 2,
        "layer_scale_initial_scale": 0.5,
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=CONFIGS)
def saved(request, tmp_path_factory):
    """A tiny model of transformers with random weights and codes, and the folder it was saved in."""
    import transformers

    name = request.param.capitalize()
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**CONFIGS[request.param]))
    for key, tensor in model.state_dict().items():
        if key.endswith(("embed", "embed_sum", "codebook.weight")):
            tensor.normal_()
        elif key.endswith(("alpha", "cluster_usage")):
            tensor.uniform_(0.5, 2.0)
        elif key.endswith("bias"):
            tensor.zero_()
        elif tensor.ndim == 3 and request.param == "dac":
            tensor.normal_().mul_(1.5 * tensor[0].numel() ** -0.5)
        elif tensor.ndim == 3 and "encoder" in key:  # louder latents, so that codes differ from frame to frame
            tensor.mul_(1.7)
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return request.param, model.eval().requires_grad_(False), folder


def noise(samples: int) -> torch.Tensor:
    return 0.3 * torch.randn(2, 1, samples, generator=torch.Generator().manual_seed(0))


def test_codes_and_audio_are_theirs(saved):
    family, theirs, folder = saved
    codec = load(folder)
    wave = noise(40 * codec.hop)
    if family == "encodec":
        codes = theirs.encode(wave, bandwidth=19.2).audio_codes[0]
        heard = theirs.decode(codes[None], [None]).audio_values
    else:
        codes = theirs.encode(wave).audio_codes
        heard = theirs.decode(audio_codes=codes).audio_values.reshape(2, 1, -1)
    tokens = codec.encode(wave)
    assert tokens.values.shape == (2, codec.codebooks, 40) and torch.equal(tokens.values, codes)
    assert len(tokens.values.unique()) > 10
    made = codec.decode(tokens)
    assert made.shape == wave.shape and wave.shape[-1] - heard.shape[-1] < codec.hop
    torch.testing.assert_close(made[..., : heard.shape[-1]], heard, atol=1e-4, rtol=1e-3)
    assert heard.std() > 1e-3
    fewer = codec.encode(wave, 2)
    assert torch.equal(fewer.values, codes[:, :2])
    if family != "dac":
        expected = theirs.decode(codes[None, :, :2], [None]) if family == "encodec" else theirs.decode(codes[:, :2])
        torch.testing.assert_close(codec.decode(fewer), expected.audio_values, atol=1e-4, rtol=1e-3)


def test_a_stream_is_the_whole_where_there_can_be_one(saved):
    family, _, folder = saved
    codec = load(folder)
    wave = noise(60 * codec.hop)[:1]
    whole = codec.encode(wave)
    seconds = 20 / codec.frame_rate  # more than what EnCodec mirrors at the start
    assert (encode_in_chunks(codec, wave, seconds=seconds).values == whole.values).float().mean() > 0.995
    heard = decode_in_chunks(codec, whole, seconds=seconds)
    torch.testing.assert_close(heard, codec.decode(whole), atol=1e-4, rtol=1e-3)
    assert codec.streams == (family != "dac") and (math.isinf(codec.reach))
    if family == "dac":
        with pytest.raises(UserError, match="looks ahead, so it cannot stream"):
            codec.encode_step(wave, codec.initial_state())


def test_it_is_trained_on(saved):
    codec = load(saved[2]).train().requires_grad_(True)
    made, quantized = codec(noise(20 * codec.hop), torch.Generator().manual_seed(0))
    (made.square().mean() + sum(quantized.losses.values())).backward()
    assert all(parameter.grad is not None for parameter in codec.encoder.parameters())
    assert "perplexity/02" in quantized.facts


def test_what_does_not_fit_is_named(saved, tmp_path):
    family, _, folder = saved
    values = json.loads((folder / "config.json").read_text())
    weights = safetensors.torch.load_file(folder / "model.safetensors")

    def refused(changed: dict, message: str, kept: dict = weights) -> None:
        (tmp_path / "config.json").write_text(json.dumps(changed))
        safetensors.torch.save_file(kept, tmp_path / "model.safetensors")
        with pytest.raises(UserError, match=message):
            load(tmp_path)

    refused({**values, "model_type": "bert"}, "model_type 'bert' is no codec known here")
    refused({**values, "model_type": f"{family}s"}, f"did you mean '{family}'")
    refused({key: value for key, value in values.items() if key != "sampling_rate"}, "'sampling_rate' is missing")
    refused({**values, "codebook_size": 32}, "for our 'bottleneck")
    if family != "dac":
        refused({**values, "audio_channels": 2}, "audio_channels: 2; only 1 is known here")
    first = next(iter(weights))
    refused(values, "nothing fits our", {name: tensor for name, tensor in weights.items() if name != first})
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged or missing"):
        load(tmp_path)
