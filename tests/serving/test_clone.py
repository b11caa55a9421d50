"""The Clone tab's work, without a browser."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from speechgen.audio.files import read_audio, write_audio
from speechgen.errors import UserError
from speechgen.models.lines import Drawing
from speechgen.models.voice import Voice
from speechgen.serving import voices
from speechgen.serving.app import MY_VOICE, build_app
from speechgen.serving.clone import Asked, Cloner
from speechgen.serving.comparison import Comparer
from speechgen.serving.pictures import wave_range
from speechgen.serving.synthesiser import Synthesiser

QUICK = Drawing(steps=1, guidance=1.0)


@pytest.fixture
def cloner(tiny_models: Path, tmp_path: Path) -> Cloner:
    return Cloner(Synthesiser.load(tiny_models / "tts"), tmp_path)


def test_a_prompt_becomes_takes_pictures_and_a_voice(cloner: Cloner, prompt_file: Path) -> None:
    made = cloner.clone(Asked("The lazy dog jumps.", "en", str(prompt_file), drawing=QUICK, seed=4, takes=2))
    assert [wave.name for wave in made.waves] == ["take-1-seed-4.wav", "take-2-seed-5.wav"]
    assert all(path.is_relative_to(cloner.folder) for path in (*made.waves, *made.pictures, made.voice))
    for wave, picture in zip(made.waves, made.pictures, strict=True):
        samples, rate = read_audio(wave)
        assert rate == 16000 and samples.square().mean().sqrt() > 1e-3
        assert imread(picture).std() > 0.05
    for figure in ("s** of speech", "first audio after", "x** real time"):
        assert figure in made.report
    # The file written is as loud as what was made: nothing scales it to full range.
    spoken = cloner.synthesiser.say("The lazy dog jumps.", Voice.load(made.voice), drawing=QUICK, seed=4)
    torch.testing.assert_close(read_audio(made.waves[0])[0], spoken.wave, atol=1e-4, rtol=0)


def test_a_shipped_voice_needs_no_prompt(
    cloner: Cloner, prompt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "VOICES", tmp_path)
    voice = cloner.synthesiser.voice(prompt_file)
    voice.save(tmp_path / "ann.voice")
    Voice(voice.latents, voice.symbols, "en", "another codec").save(tmp_path / "tom.voice")
    assert cloner.voices() == ["ann"]
    assert cloner.clone(Asked("The dog.", "en", None, "ann", drawing=QUICK)).waves
    for wrong in ("tom", str(tmp_path / "ann.voice")):
        with pytest.raises(UserError, match="no voice of that name"):
            cloner.clone(Asked("The dog.", "en", None, wrong))


def test_the_guard_reports_each_chunk_unless_it_is_off(cloner: Cloner, prompt_file: Path) -> None:
    asked = Asked("The lazy dog jumps.", "en", str(prompt_file), drawing=QUICK)
    assert "| take | chunk | seconds | tries | guard |" in cloner.clone(asked).report
    assert "guard" not in cloner.clone(replace(asked, guard=False)).report


def test_recordings_are_joined_and_adapted_to_once(
    cloner: Cloner, prompt_file: Path, tmp_path: Path, quick_adapting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech, rate = read_audio(prompt_file)
    write_audio(tmp_path / "more.wav", speech.flip(0), rate)
    said = "The quick brown fox.\nThe lazy dog jumps.\n"
    asked = Asked("The dog.", "en", str(prompt_file), "", said, drawing=QUICK, more=(str(tmp_path / "more.wav"),))
    joined, adapted = (Voice.load(cloner.clone(replace(asked, adapt=adapt)).voice) for adapt in (False, True))
    expected = cloner.synthesiser.voice([prompt_file, tmp_path / "more.wav"], said.splitlines())
    assert torch.equal(joined.latents, expected.latents) and torch.equal(joined.symbols, expected.symbols)
    assert joined.adapter is None and adapted.adapter is not None
    monkeypatch.setattr(cloner.synthesiser, "_adapted", None)  # the next line need not learn it again
    cloner.clone(replace(asked, text="The fox.", adapt=True))
    with pytest.raises(UserError, match="2 recordings, and 1 lines of what they say; write one line for each"):
        cloner.clone(replace(asked, transcript="The quick brown fox."))


def test_a_shipped_voice_is_chosen_at_first(cloner: Cloner, monkeypatch: pytest.MonkeyPatch) -> None:
    for voices_there, first in ((["ann"], "ann"), ([], MY_VOICE)):
        monkeypatch.setattr(Cloner, "voices", lambda self, there=voices_there: there)
        blocks = build_app(cloner, Comparer(cloner.synthesiser.codec, "tiny", cloner.folder)).blocks.values()
        assert next(one for one in blocks if one.elem_id == "voice").value == first


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"text": ""}, "empty"),
        ({"text": "dog " * 300}, "1,200 characters"),
        ({"prompt": None}, "Record or upload a prompt"),
        ({"language": "fr"}, "speaks de, en"),
        ({"takes": 99}, "takes"),
        ({"drawing": Drawing(steps=99)}, "steps"),
    ],
)
def test_too_much_and_too_little_are_refused(change: dict, hint: str, cloner: Cloner, prompt_file: Path) -> None:
    asked = {"text": "The dog.", "language": "en", "prompt": str(prompt_file), "drawing": QUICK, **change}
    with pytest.raises(UserError, match=hint):
        cloner.clone(Asked(**asked))
    assert not list(cloner.folder.iterdir())


def test_prompts_are_judged_in_plain_words(cloner: Cloner, prompt_file: Path, tmp_path: Path) -> None:
    speech, rate = read_audio(prompt_file)
    recordings = {
        "short": (speech[: rate // 2], rate, "❌ This recording lasts only 0.5 s"),
        "silent": (torch.zeros(2 * rate), rate, "❌ This recording is silent"),
        "clipped": ((100 * speech).clamp(-1, 1), rate, "❌ This recording is clipped"),
        "stereo": (torch.stack([speech, speech]), rate, "⚠️ This recording is stereo"),
        "dull": (speech[::2], rate // 2, "⚠️ This recording is sampled at 8000 Hz"),
        "good": (speech, rate, "✅ A good prompt: 3."),
    }
    for name, (wave, sample_rate, verdict) in recordings.items():
        write_audio(tmp_path / f"{name}.wav", wave, sample_rate)
        assert cloner.look_at(str(tmp_path / f"{name}.wav")).startswith(verdict)
    assert cloner.look_at(None) == ""


def test_warnings_are_part_of_the_report(cloner: Cloner, prompt_file: Path, tmp_path: Path) -> None:
    speech, rate = read_audio(prompt_file)
    write_audio(tmp_path / "stereo.wav", torch.stack([speech, speech]), rate)
    made = cloner.clone(Asked("The dog, genre.", "en", str(tmp_path / "stereo.wav"), drawing=QUICK))
    assert "⚠️ This recording is stereo" in made.report and "never learned" in made.report


@pytest.mark.parametrize("samples", [1, 1199, 1200, 50001])
def test_a_waveform_of_any_length_is_drawn_by_its_extremes(samples: int) -> None:
    wave = torch.sin(torch.arange(samples) * 0.37)
    low, high = wave_range(wave)
    assert len(low) == len(high) <= 1200
    assert (low <= high).all() and low.min() <= wave.min() and high.max() >= wave.max()
