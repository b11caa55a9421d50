"""Codec presets: they build, have the sizes they promise, and are what the recipes train."""

from pathlib import Path

import pytest
import torch
import yaml

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.tokenizers.codec import CodecConfig, build_codec
from speechgen.tokenizers.foreign import FAMILIES
from speechgen.tokenizers.presets import PRESETS, preset

CONFIGS = Path(__file__).parents[2] / "egs" / "starter" / "codec" / "conf"


@pytest.mark.parametrize("name", PRESETS)
@torch.no_grad()
def test_every_preset_codes_half_a_second(name):
    codec = build_codec(preset(name)).eval()
    assert codec.frame_rate == 50
    assert (
        codec.config.latency == pytest.approx((codec.hop + codec.delay) / codec.sample_rate)
        and codec.config.latency <= 0.08
    )
    wave = 0.1 * torch.randn(1, 1, codec.sample_rate // 2, generator=torch.Generator().manual_seed(0))
    tokens = codec.encode(wave, codec.codebooks_for(3.0))
    assert tokens.values.shape[1] == 6
    assert codec.decode(tokens).shape[-1] >= wave.shape[-1]


@pytest.mark.parametrize(
    "name, least, most",
    [
        ("speech-16k", 7.5e6, 8.0e6),
        ("speech-24k", 8.0e6, 9.0e6),
        ("seanet-16k", 3.2e6, 4.2e6),
        ("tiny-16k", 1.0e6, 2.0e6),
    ],
)
def test_presets_have_the_size_they_promise(name, least, most):
    params = sum(parameter.numel() for parameter in build_codec(preset(name)).parameters())
    assert least <= params <= most


@pytest.mark.parametrize(
    "name, config",
    [
        ("speech-16k", "codec.yaml"),
        ("speech-24k", "codec_24k.yaml"),
        ("seanet-16k", "codec_seanet.yaml"),
        ("tiny-16k", "codec_tiny.yaml"),
    ],
)
def test_recipes_train_the_presets(name, config):
    values = yaml.safe_load((CONFIGS / config).read_text(encoding="utf-8"))
    assert make_config(CodecConfig, values["model"]) == preset(name)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(UserError, match="'speech-16'; did you mean 'speech-16k'"):
        preset("speech-16")


@pytest.mark.parametrize("name, changes", [
    ("encodec-24k", {}),
    ("dac-16k", {"downsampling_ratios": [2, 4, 5, 8], "n_codebooks": 12}),
    ("mimi-24k", {}),
])  # fmt: skip
def test_architectures_of_others_are_as_transformers_has_them(name, changes):
    import transformers

    family = name.partition("-")[0]
    values = getattr(transformers, f"{family.capitalize()}Config")(**changes).to_dict()
    assert FAMILIES[family].config(values) == preset(name)
