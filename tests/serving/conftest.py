"""A tiny model of random weights that speaks, and a voice for it."""

from pathlib import Path

import pytest

from speechgen.models.voice import Voice
from speechgen.serving.synthesiser import Synthesiser


@pytest.fixture(scope="module")
def synth(tiny_models: Path) -> Synthesiser:
    return Synthesiser.load(tiny_models / "tts")


@pytest.fixture(scope="module")
def voice(synth: Synthesiser, prompt_file: Path) -> Voice:
    return synth.voice(prompt_file)
