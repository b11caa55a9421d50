"""What tests of several rooms share: tiny models with random weights, and a recording a little like speech."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packed models: codec, listener, tts (latents), tts-codes and tts-attention."""
    import torch

    from speechgen.config import make_config
    from speechgen.models.listener import Listener, ListenerConfig
    from speechgen.models.load import save_model
    from speechgen.models.tts import TokenTTS
    from speechgen.models.tts_config import TTSConfig
    from speechgen.text.phonemes import phonemize_many
    from speechgen.tokenizers.codec import CodecConfig, build_codec

    folder = tmp_path_factory.mktemp("models")
    pangrams = [("The quick brown fox jumps over the lazy dog, joy.", "en"), ("Zwölf Boxkämpfer jagen Viktor.", "de")]
    phonemes = sorted({phoneme for text, language in pangrams for phoneme in phonemize_many([text], language)[0]})

    def save(name: str, kind, build, change=lambda model: None, **values) -> None:
        torch.manual_seed(0)
        config = make_config(kind, values)
        model = build(config)
        for parameter in model.parameters():  # what starts at zero would hide that outputs depend on inputs
            if parameter.ndim > 1 and not parameter.any():
                torch.nn.init.normal_(parameter, std=0.2)
        change(model)
        save_model(folder / name, config, model, f"# {name}\n")

    stack = {"width": 16, "blocks": 1, "window": 960}
    rvq = {"codebooks": 3, "codebook_size": 16, "code_width": 4}
    save("codec", CodecConfig, build_codec, width=8, encoder=stack, decoder=stack, bottleneck=rvq)
    known = {"phonemes": ["<blank>", *phonemes], "characters": ["<blank>", "a"], "speakers": ["a", "b"]}
    save("listener", ListenerConfig, Listener, width=16, blocks=1, **known)
    transformer = {"width": 32, "layers": 2, "heads": 2}
    tts = {
        "codec": str(folder / "codec"),
        "listener": str(folder / "listener"),
        "symbols": phonemes,
        "languages": ["de", "en"],
        "unit_width": 8,
        "codebooks": 3,
        "codebook_size": 16,
        "symbol_width": 16,
        "duration_width": 16,
        "head": {"kind": "flow", "width": 16, "blocks": 1},
    }
    save("tts", TTSConfig, TokenTTS, **tts, transformer=transformer)
    crossing = {**transformer, "cross_attention": True}
    # Without given durations speech ends where the model says so, which random weights do at once.
    never_stopping = lambda model: torch.nn.init.constant_(model.stop.bias, -20.0)  # noqa: E731
    save("tts-attention", TTSConfig, TokenTTS, never_stopping, **tts, transformer=crossing, alignment="attention")
    codes = {**tts, "unit": "codes", "patch": 1, "order": {"kind": "delay"}, "head": {"kind": "categorical"}}
    save("tts-codes", TTSConfig, TokenTTS, **codes, transformer=transformer)
    return folder


@pytest.fixture(scope="session")
def prompt_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of buzzing syllables with pauses, 16 kHz mono."""
    import torch

    from speechgen.audio.files import write_audio

    time = torch.arange(4 * 16000) / 16000
    pitch = 120 + 20 * torch.sin(2 * torch.pi * 0.7 * time)
    phase = 2 * torch.pi * torch.cumsum(pitch, 0) / 16000
    buzz = sum(torch.sin(k * phase) / k for k in range(1, 20))
    syllables = torch.sin(2 * torch.pi * 2 * time).clamp_min(0).sqrt() * (time % 2 < 1.6)
    path = tmp_path_factory.mktemp("prompts") / "prompt.wav"
    write_audio(path, 0.2 * buzz * syllables, 16000)
    return path


@pytest.fixture
def quick_adapting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Voices are learned in three steps, from any transcript: a random listener believes nothing."""
    pytest.importorskip("peft")
    from speechgen.serving import synthesiser, voice_reader
    from speechgen.training.adapt import AdaptConfig

    monkeypatch.setattr(synthesiser, "ADAPTING", AdaptConfig(steps=3, learning_rate=0.02))
    monkeypatch.setattr(voice_reader, "NOT_SAID", -1e9)
