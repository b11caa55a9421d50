"""Exported codecs: the graphs stream what the codec streams, in 32 bits exactly and in 8 bits nearly."""

import numpy as np
import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.export import OnnxCodec, compare, export_codec
from speechgen.tokenizers.base import Tokens
from speechgen.tokenizers.codec import Codec, CodecConfig, build_codec

SPECTRAL = {"kind": "spectral", "width": 96, "blocks": 1, "window": 120}
SEANET = {"kind": "seanet", "channels": 4, "strides": [4, 10], "dilations": [1, 3], "activation": "snake"}
RVQ = {"kind": "rvq", "codebooks": 3, "codebook_size": 16, "code_width": 4}
FSQ = {"kind": "fsq", "codebooks": 2, "levels": [4, 3]}


def make_codec(stack: dict, bottleneck: dict) -> Codec:
    torch.manual_seed(0)
    values = {"sample_rate": 4000, "hop": 40, "width": 6, "encoder": stack, "decoder": stack, "bottleneck": bottleneck}
    return build_codec(make_config(CodecConfig, values)).eval().requires_grad_(False)


def noise(samples: int) -> torch.Tensor:
    return 0.2 * torch.randn(1, 1, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("stack, bottleneck", [(SPECTRAL, RVQ), (SEANET, FSQ)])
def test_graphs_stream_what_the_codec_streams(stack, bottleneck, tmp_path):
    codec = make_codec(stack, bottleneck)
    export_codec(codec, "0123", tmp_path)
    exported, wave = OnnxCodec(tmp_path), noise(40 * 40)
    assert exported.facts.weights == "0123" and exported.facts.delay == codec.delay
    facts = compare(codec, exported, wave)
    assert facts["equal_codes"] > 0.99 and facts["largest_error"] < 1e-4
    # Chunks of any length, and fewer codebooks than there are.
    whole = codec.encode(wave).values
    state, parts = exported.initial_state(), []
    for chunk in (*wave.split([40, 7 * 40, 32 * 40], -1), torch.zeros(1, 1, codec.delay)):
        if chunk.shape[-1]:
            codes, state = exported.encode_step(chunk.numpy(), state)
            parts.append(codes)
    assert (np.concatenate(parts, -1) == whole.numpy()).mean() > 0.99
    state, parts = exported.initial_state(), []
    for codes in whole[:, :1].split([1, 5, whole.shape[-1] - 6], -1):
        heard, state = exported.decode_step(codes.numpy(), state)
        parts.append(heard)
    expected = codec.decode(Tokens(whole[:, :1], "discrete"))
    torch.testing.assert_close(torch.from_numpy(np.concatenate(parts, -1)), expected, atol=1e-4, rtol=0)
    if stack is SPECTRAL:
        small = compare(codec, OnnxCodec(tmp_path / "int8"), wave)
        assert 20 < small["snr"] < facts["snr"]
        for part in ("encoder", "decoder"):
            assert (tmp_path / "int8" / f"{part}.onnx").stat().st_size < (tmp_path / f"{part}.onnx").stat().st_size


def test_recurrent_codecs_are_refused(tmp_path):
    with pytest.raises(UserError, match="recurrent layers cannot be exported"):
        export_codec(make_codec({**SEANET, "lstm": 1}, FSQ), "", tmp_path)


def test_what_is_no_exported_codec_is_said(tmp_path):
    with pytest.raises(UserError, match="no exported codec"):
        OnnxCodec(tmp_path)
    (tmp_path / "codec.json").write_text("{}")
    with pytest.raises(UserError, match="no exported codec"):
        OnnxCodec(tmp_path)
