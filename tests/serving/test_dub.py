"""Other words in the time of a clip."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import speechgen
from speechgen.audio.files import read_audio, write_audio
from speechgen.errors import UserError
from speechgen.models.lines import Drawing
from speechgen.serving.dub import Dub, Dubber
from speechgen.serving.prompts import sounding, trim_silence

QUICK = Drawing(steps=1, guidance=1.0)


@pytest.fixture
def dubber(tiny_models: Path, tmp_path: Path) -> Dubber:
    return Dubber(speechgen.load(str(tiny_models / "tts")), tmp_path)


def words_for(dubber: Dubber, clip: Path, share: float) -> str:
    """So many words that, at normal speed, they take about this share of the clip."""
    synth = dubber.synthesiser
    one = len(trim_silence(synth.say("the lazy dog", synth.voice(clip), drawing=QUICK).wave, 16000))
    start, end = sounding(*read_audio(clip))
    return " ".join(["the lazy dog"] * max(1, round(share * (end - start) / one)))


def test_a_dub_is_as_long_as_its_clip_and_speaks_when_it_does(
    dubber: Dubber, prompt_file: Path, tmp_path: Path
) -> None:
    clip, rate = read_audio(prompt_file)
    clip = torch.cat([torch.zeros(rate), clip, torch.zeros(rate // 2)])
    write_audio(tmp_path / "clip.wav", clip, rate)
    made = dubber.dub(Dub(str(tmp_path / "clip.wav"), words_for(dubber, prompt_file, 0.8), "en", drawing=QUICK))
    wave, _ = read_audio(made.wave)
    assert len(wave) == len(clip) and "as long as the clip" in made.report
    for said, meant in zip(sounding(wave, rate), sounding(clip, rate)):
        assert abs(said - meant) < 0.3 * rate
    assert not wave[: rate // 2].any()


def test_the_clips_voice_may_be_learned_first(dubber: Dubber, prompt_file: Path, quick_adapting: None) -> None:
    asked = Dub(str(prompt_file), words_for(dubber, prompt_file, 0.8), "en", "The quick brown fox.", drawing=QUICK)
    plain, adapted = (read_audio(dubber.dub(replace(asked, adapt=adapt)).wave)[0] for adapt in (False, True))
    assert plain.shape == adapted.shape and not torch.allclose(plain, adapted, atol=1e-3)


@pytest.mark.parametrize(("share", "hint"), [(6.0, "Shorten the text"), (0.0, "Say more")])
def test_words_that_do_not_fit_are_refused(share: float, hint: str, dubber: Dubber, prompt_file: Path) -> None:
    with pytest.raises(UserError, match=hint):
        dubber.dub(Dub(str(prompt_file), words_for(dubber, prompt_file, share), "en", drawing=QUICK))


@pytest.mark.parametrize(
    ("clip", "text", "hint"),
    [(None, "Dog.", "clip first"), ("none.wav", "Dog.", "This clip: "), ("prompt", "a" * 1001, "1,001 characters")],
)
def test_what_cannot_be_dubbed_is_told(
    clip: str | None, text: str, hint: str, dubber: Dubber, prompt_file: Path
) -> None:
    with pytest.raises(UserError, match=hint):
        dubber.dub(Dub(str(prompt_file) if clip == "prompt" else clip, text, "en"))
