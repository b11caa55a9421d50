"""Tiny token TTS models of every triple."""

from collections.abc import Callable

import pytest
import torch

from speechgen.config import make_config
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import TTSConfig

TRIPLES = {
    "latents, given": {},
    "latents, attention": {"alignment": "attention"},
    "codes, delay": {"unit": "codes", "patch": 1, "order": {"kind": "delay"}, "head": {"kind": "categorical"}},
    "codes, depth": {"unit": "codes", "head": {"kind": "depth", "width": 16}},
}
SYMBOLS = [" ", *"abcdefgh"]


@pytest.fixture
def make_tts() -> Callable[..., TokenTTS]:
    """make_tts("codes, delay", key=value) builds a tiny model with random weights, in evaluation mode."""

    def make(triple: str = "latents, given", **changes) -> TokenTTS:
        values = {
            "symbols": SYMBOLS, "languages": ["de", "en"], "unit_width": 6, "codebooks": 3, "codebook_size": 8,
            "symbol_width": 16, "symbol_blocks": 1, "voice_blocks": 1, "duration_width": 8, "duration_blocks": 1,
            "head": {"kind": "flow", "width": 16, "blocks": 1, "draws": 2},
        }  # fmt: skip
        values = {**values, **TRIPLES[triple], **changes}
        crossing = values.get("alignment") == "attention"
        values["transformer"] = {"width": 32, "layers": 2, "heads": 2, "cross_attention": crossing}
        torch.manual_seed(0)
        model = TokenTTS(make_config(TTSConfig, values)).eval()
        with torch.no_grad():  # what starts at zero would hide mistakes
            for parameter in model.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.1)
        return model

    return make
