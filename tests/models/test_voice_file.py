"""Voice files: what is saved comes back, and what is damaged is refused in one sentence."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from speechgen.errors import UserError
from speechgen.models.voice import Voice


@pytest.fixture
def voice():
    latents = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    symbols = torch.tensor([-1] * 10 + [3] * 20)
    return Voice(latents, symbols, "en", "abc123", {"name": "Ann", "licence": "CC0"}, [" ", "a", "ʒ"])


def test_a_round_trip(voice, tmp_path):
    voice.save(tmp_path / "ann.voice")
    loaded = Voice.load(tmp_path / "ann.voice")
    torch.testing.assert_close(loaded.latents, voice.latents, atol=2e-3, rtol=1e-3)  # stored in 16 bits
    assert torch.equal(loaded.symbols, voice.symbols)
    assert (loaded.language, loaded.codec, loaded.facts) == (voice.language, voice.codec, voice.facts)
    assert loaded.alphabet == voice.alphabet
    assert [path.name for path in tmp_path.iterdir()] == ["ann.voice"]


def test_what_is_no_voice(voice, tmp_path):
    path = tmp_path / "x.voice"
    with pytest.raises(UserError, match="x.voice: no such voice file"):
        Voice.load(path)
    voice.save(path)
    whole = path.read_bytes()
    for content in (b"", whole[:20], whole[:-7], b"RIFF" + whole, pickle.dumps({"latents": 1})):
        path.write_bytes(content)
        with pytest.raises(UserError, match="x.voice: not a voice file of ours"):
            Voice.load(path)


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"latents": torch.zeros(3, 2)}, {"language": "en", "codec": "x"}, "not a voice file"),
        ({"latents": torch.zeros(3, 2), "symbols": torch.zeros(3)}, {}, "not a voice file"),
        ({"latents": torch.zeros(3, 2), "symbols": torch.zeros(2)}, {"language": "en", "codec": "x"}, "do not match"),
        ({"latents": torch.zeros(3), "symbols": torch.zeros(3)}, {"language": "en", "codec": "x"}, "do not match"),
        ({"latents": torch.zeros(0, 2), "symbols": torch.zeros(0)}, {"language": "en", "codec": "x"}, "are none"),
        (
            {"latents": torch.full((3, 2), torch.nan), "symbols": torch.zeros(3)},
            {"language": "en", "codec": "x"},
            "not finite",
        ),
    ],
)
def test_foreign_files_are_refused(tensors, metadata, message, tmp_path):
    save_file(tensors, tmp_path / "x.voice", metadata=metadata or None)
    with pytest.raises(UserError, match=message):
        Voice.load(tmp_path / "x.voice")
