"""EnCodec, DAC and Mimi behind our words: small random ones, saved and loaded as published weights are."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from speechgen.errors import UserError
from speechgen.evaluation.coding import CodecSystem
from speechgen.evaluation.pretrained import PretrainedCodec, load_pretrained

SMALL = {
    "encodec": {
        "num_filters": 4, "hidden_size": 16, "codebook_dim": 16, "codebook_size": 64, "upsampling_ratios": [8, 5, 4],
        "target_bandwidths": [1.8, 3.6], "num_lstm_layers": 1,
    },
    "dac": {
        "encoder_hidden_size": 4, "decoder_hidden_size": 32, "downsampling_ratios": [2, 4, 5, 8],
        "upsampling_ratios": [8, 5, 4, 2], "hidden_size": 64, "n_codebooks": 3, "codebook_size": 64, "codebook_dim": 4,
    },
    "mimi": {
        "num_filters": 4, "hidden_size": 16, "codebook_dim": 8, "codebook_size": 64, "num_quantizers": 4,
        "vector_quantization_hidden_dimension": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 32, "upsample_groups": 16,
        "upsampling_ratios": [8, 6, 5, 4],
    },
}  # fmt: skip
# Frames a second, and codebooks, that the sizes above come to.
FACTS = {"encodec": (150.0, 4), "dac": (50.0, 3), "mimi": (12.5, 4)}


def small(kind):
    torch.manual_seed(0)
    return PretrainedCodec.from_config(kind, SMALL[kind])


@pytest.mark.parametrize("kind", SMALL)
def test_codes_are_as_many_as_the_codec_says(kind):
    codec = small(kind)
    frame_rate, codebooks = FACTS[kind]
    assert (codec.frame_rate, codec.codebooks) == (frame_rate, codebooks)
    wave = 0.1 * torch.randn(1, 1, codec.sample_rate, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        all_codes = codec.encode(wave).values
        fewer = codec.encode(wave, 2).values
        decoded = codec.decode(codec.encode(wave, 2))
    assert all_codes.shape[:2] == (1, codebooks)
    assert abs(all_codes.shape[2] - frame_rate) <= 1
    assert torch.equal(fewer, all_codes[:, :2])
    assert int(all_codes.max()) < codec.codebook_size == 64
    assert decoded.shape[:2] == (1, 1) and abs(decoded.shape[2] - codec.sample_rate) <= 2 * codec.hop


@pytest.mark.parametrize("kind", SMALL)
def test_saved_weights_are_loaded_and_scored_at_real_bytes(kind, tmp_path):
    codec = small(kind)
    codec.model.save_pretrained(tmp_path)
    rate = codec.kbps(2)
    systems = load_pretrained(kind, str(tmp_path), [rate, 999.0])
    assert [system.name for system in systems] == [f"{kind}-{rate:.3g}k"]
    wave = 0.1 * torch.randn(24000, generator=torch.Generator().manual_seed(0))
    decoded, size = systems[0].reconstruct(wave, 24000)
    again, _ = CodecSystem(kind, codec, 2).reconstruct(wave, 24000)
    assert decoded.shape == wave.shape
    torch.testing.assert_close(decoded, again)
    assert rate * 1000 / 8 - 20 < size < rate * 1000 / 8 + 220


def test_a_folder_of_something_else_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="holds transformers' None, not dac"):
        PretrainedCodec.from_folder("dac", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "dac"}')
    with pytest.raises(UserError, match="cannot be loaded as dac"):
        PretrainedCodec.from_folder("dac", tmp_path)


def test_weights_that_are_missing_are_not_made_up(tmp_path):
    codec = small("dac").model
    codec.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[sorted(weights)[0]]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="1 weights of dac are missing"):
        PretrainedCodec.from_folder("dac", tmp_path)


def test_no_bitrate_in_reach_is_explained(tmp_path):
    small("dac").model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"99 kbit/s: dac has 0.3 to 0.9 kbit/s"):
        load_pretrained("dac", str(tmp_path), [99.0])
