"""Prompts that the synthesiser makes voices of, and voices that it is given."""

import dataclasses
from pathlib import Path

import pytest
import torch

from speechgen.audio.files import read_audio, write_audio
from speechgen.errors import UserError
from speechgen.models.lines import Drawing
from speechgen.models.voice import Voice
from speechgen.serving import voice_reader
from speechgen.serving.copies import Copy
from speechgen.serving.remembered import PromptStates
from speechgen.serving.synthesiser import Synthesiser
from speechgen.serving.voices import find_voice

TEXT = "The quick brown fox jumps over the dog."
QUICK = Drawing(steps=1, guidance=1.0)


def ignore(warning: str) -> None:
    pass


def test_a_prompt_is_read_once(synth: Synthesiser, prompt_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes out is the same whether the prompt was known before or not."""
    monkeypatch.setattr(voice_reader, "NOT_SAID", -1e9)  # a random listener believes nothing
    voice = synth.voice(prompt_file, "The quick brown fox jumps over the lazy dog.")
    fresh, read, step = PromptStates(synth.tts), [], synth.tts.transformer.step
    monkeypatch.setattr(synth._copies, "original", Copy(synth.tts, fresh))
    monkeypatch.setattr(synth.tts.transformer, "step", lambda x, state: (read.append(x.shape[1]), step(x, state))[1])
    waves = [synth.say("The dog.", voice, drawing=QUICK).wave for _ in range(2)]
    assert torch.equal(*waves)
    prompt = read.pop(0)
    assert prompt > 20 and max(read) < prompt / 2
    for seed in range(10):  # other voices take its place
        fresh.of(dataclasses.replace(voice, latents=voice.latents + seed + 1), "en", QUICK)
    read.clear()
    synth.say("The dog.", voice, drawing=QUICK)
    assert read[0] == prompt


def test_a_prompt_with_its_transcript_knows_each_frame(
    synth: Synthesiser, prompt_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_reader, "NOT_SAID", -1e9)  # a random listener believes nothing
    told: list[str] = []
    voice = synth.voice(prompt_file, "The quick brown fox.", warn=told.append)
    assert not told
    assert (voice.symbols >= 0).all() and len(voice.symbols) == len(voice.latents)
    spelled = [synth.tts.config.symbols[n - 1] for n in torch.unique_consecutive(voice.symbols)]
    assert spelled[0] == spelled[-1] == " " and "f" in spelled
    unknown = synth.voice(prompt_file)
    assert torch.equal(voice.latents, unknown.latents)
    spoken = [synth.say(TEXT, one, drawing=QUICK).wave for one in (voice, unknown)]
    assert spoken[0].shape != spoken[1].shape or not torch.allclose(*spoken)


@pytest.mark.parametrize("transcript", ["The quick brown fox jumps over the lazy dog. " * 8, "The fox."])
def test_a_transcript_that_does_not_fit_is_left_aside(
    transcript: str, synth: Synthesiser, prompt_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_reader, "NOT_SAID", 1e9)
    told: list[str] = []
    voice = synth.voice(prompt_file, transcript, warn=told.append)
    assert (voice.symbols == -1).all() and not voice.alphabet
    assert len(told) == 1 and "transcript" in told[0] and "left aside" in told[0]


def test_the_shipped_voice_notices_a_transcript_of_something_else() -> None:
    shipped, told = Synthesiser.load("starter-tts"), []
    said = "The boy was there when the sun rose, and he waited for the others to come down to the river."
    other = "A large size in stockings is hard to sell, so we asked the man at the door for a smaller one."
    spoken = shipped.say(said, find_voice("kathleen"), drawing=Drawing(4))
    prompt = spoken.wave, spoken.sample_rate
    assert (shipped.voice(prompt, said, warn=told.append).symbols >= 0).all() and not told
    assert (shipped.voice(prompt, other, warn=told.append).symbols == -1).all()
    assert told == ["the transcript is not what the prompt says and is left aside"]


def test_a_long_prompt_is_cut_at_a_pause(synth: Synthesiser, prompt_file: Path, tmp_path: Path) -> None:
    wave, rate = read_audio(prompt_file)
    write_audio(tmp_path / "long.wav", wave.repeat(3), rate)
    frames = len(synth.voice(tmp_path / "long.wav").latents)
    assert 3 <= frames / synth.codec.frame_rate <= 6


def test_a_wave_is_a_prompt_like_a_file(synth: Synthesiser, prompt_file: Path) -> None:
    from_wave = synth.voice(read_audio(prompt_file))
    assert torch.equal(from_wave.latents, synth.voice(prompt_file).latents)


def test_several_prompts_are_joined_each_with_its_share(
    synth: Synthesiser, prompt_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_reader, "NOT_SAID", -1e9)
    wave, rate = read_audio(prompt_file)
    short, said = (wave[: 2 * rate], rate), ["The fox.", "The quick brown fox."]
    alone = [synth.voice(prompt, words, warn=ignore) for prompt, words in zip((short, prompt_file), said)]
    joined = synth.voice([short, prompt_file], said, warn=ignore)
    first, second = len(alone[0].latents), len(alone[1].latents)
    kept = len(joined.latents) - first
    # The short one is whole, the other has the rest of six seconds.
    assert first < second / 1.9 and 2 <= kept / synth.codec.frame_rate <= 6 - first / synth.codec.frame_rate
    for part in ("latents", "symbols"):
        ours, *parts = (getattr(one, part) for one in (joined, *alone))
        assert torch.equal(ours, torch.cat([parts[0], parts[1][:kept]]))
    assert torch.equal(synth.voice([prompt_file], said[1:]).latents, alone[1].latents)
    several = synth.voice([prompt_file] * 4, warn=ignore)
    assert 3 <= len(several.latents) / synth.codec.frame_rate <= 6 and (several.symbols == -1).all()
    with pytest.raises(UserError, match="2 prompts and 1 transcripts: give one for each"):
        synth.voice([prompt_file, prompt_file], ["The fox."])
    with pytest.raises(UserError, match="2 prompts and 1 transcripts: give one for each"):
        synth.voice([prompt_file, prompt_file], "The fox.")
    with pytest.raises(UserError, match="^Recording 2: lasts only 0.2 s"):
        synth.voice([prompt_file, (wave[: rate // 5], rate)], name="Recording", warn=ignore)


def test_faults_of_the_prompt_are_told(synth: Synthesiser, prompt_file: Path, tmp_path: Path) -> None:
    wave, rate = read_audio(prompt_file)
    write_audio(tmp_path / "stereo.wav", torch.stack([wave, wave]), rate)
    told: list[str] = []
    synth.voice(tmp_path / "stereo.wav", warn=told.append)
    assert len(told) == 1 and "stereo.wav: is stereo" in told[0]
    with pytest.warns(UserWarning, match="is stereo"):
        synth.voice(tmp_path / "stereo.wav")


@pytest.mark.parametrize(
    ("wave", "hint"),
    [
        (torch.zeros(32000), "is silent"),
        (torch.randn(3200), "lasts only 0.2 s"),
        (torch.full((32000,), torch.nan), "NaN"),
        (torch.zeros(0), "no samples"),
        (torch.randn(16000 * 310) * 0.1, "lasts 5 minutes"),
    ],
)
def test_a_prompt_that_cannot_serve_is_refused(wave: torch.Tensor, hint: str, synth: Synthesiser) -> None:
    with pytest.raises(UserError, match=hint) as refusal:
        synth.voice((wave, 16000), name="me.wav", warn=ignore)
    assert str(refusal.value).startswith("me.wav: ") and "\n" not in str(refusal.value)


def test_a_saved_voice_speaks_as_the_prompt_did(synth: Synthesiser, voice: Voice, tmp_path: Path) -> None:
    voice.save(tmp_path / "a.voice")
    loaded = Voice.load(tmp_path / "a.voice")
    assert torch.equal(synth.say(TEXT, loaded, drawing=QUICK).wave, synth.say(TEXT, voice, drawing=QUICK).wave)


def test_a_voice_of_a_model_with_other_symbols_is_translated(
    synth: Synthesiser, prompt_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_reader, "NOT_SAID", -1e9)
    voice = synth.voice(prompt_file, "The quick brown fox.")
    turned = dataclasses.replace(
        voice, alphabet=voice.alphabet[::-1], symbols=len(voice.alphabet) + 1 - voice.symbols.clamp_min(0)
    )
    assert not torch.equal(turned.symbols, voice.symbols)
    assert torch.equal(synth.say(TEXT, turned, drawing=QUICK).wave, synth.say(TEXT, voice, drawing=QUICK).wave)


def test_a_voice_of_another_codec_is_refused(synth: Synthesiser, voice: Voice) -> None:
    foreign = dataclasses.replace(voice, codec="0123456789ab", facts={"name": "anna"})
    with pytest.raises(UserError, match="anna: was made with codec 0123456789ab"):
        synth.say(TEXT, foreign)
