"""Voices that a TTS has learned: by a copy of it, the same from a file, and of no use to another model."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from speechgen.audio.files import read_audio
from speechgen.errors import UserError
from speechgen.models.lines import Drawing
from speechgen.models.voice import Voice
from speechgen.serving.batcher import Batcher
from speechgen.serving.synthesiser import Synthesiser

pytestmark = pytest.mark.usefixtures("quick_adapting")

TEXT, SAID = "The lazy dog.", "The quick brown fox jumps over the lazy dog."
QUICK = Drawing(steps=1, guidance=1.0)


@pytest.fixture
def synth(tiny_models: Path) -> Synthesiser:
    return Synthesiser.load(tiny_models / "tts")


def said(synth: Synthesiser, voice: Voice) -> torch.Tensor:
    return synth.say(TEXT, voice, drawing=QUICK).wave


def differ(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape != other.shape or not torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("kind", ["tts", "tts-codes"])
def test_an_adapted_voice_speaks_otherwise_and_the_model_stays_as_it_is(kind, tiny_models, prompt_file) -> None:
    synth, steps = Synthesiser.load(tiny_models / kind), []
    plain = synth.voice(prompt_file, SAID)
    before = said(synth, plain)
    weights = {name: weight.clone() for name, weight in synth.tts.state_dict().items()}
    adapted = synth.voice(prompt_file, SAID, adapt=True, on_step=lambda: steps.append(1))
    assert len(steps) == 3
    assert differ(said(synth, adapted), before)
    assert torch.equal(said(synth, plain), before)
    assert all(torch.equal(weight, weights[name]) for name, weight in synth.tts.state_dict().items())
    assert torch.equal(adapted.latents, plain.latents) and torch.equal(adapted.symbols, plain.symbols)


def test_it_speaks_the_same_from_its_file_and_from_its_prompt_again(synth, prompt_file, tmp_path) -> None:
    adapted = synth.adapt(synth.voice(prompt_file, SAID))
    adapted.save(tmp_path / "ann.voice")
    loaded = Voice.load(tmp_path / "ann.voice")
    assert loaded.adapter.model == adapted.adapter.model and "adapted" in loaded.card()
    assert torch.equal(said(synth, loaded), said(synth, adapted))
    assert torch.equal(said(synth, synth.voice(prompt_file, SAID, adapt=True)), said(synth, adapted))
    assert differ(said(synth, synth.adapt(synth.voice(prompt_file, SAID), seed=1)), said(synth, adapted))


def test_a_voice_that_speaks_otherwise_has_another_digest(synth, prompt_file, tmp_path) -> None:
    plain, unknown = synth.voice(prompt_file, SAID), synth.voice(prompt_file)
    adapted = synth.adapt(plain)
    others = plain, unknown, adapted, synth.adapt(plain, seed=1)
    assert len({voice.digest() for voice in others}) == 4
    adapted.save(tmp_path / "ann.voice")
    assert Voice.load(tmp_path / "ann.voice").digest() == adapted.digest()


def test_several_prompts_are_learned_whole(synth, prompt_file) -> None:
    wave, rate = read_audio(prompt_file)
    parts, words = [(wave, rate), (wave.flip(0), rate)], [SAID, SAID]
    joined = synth.voice(parts, words)
    learned, of_prompt = synth.voice(parts, words, adapt=True), synth.adapt(joined)
    assert torch.equal(learned.latents, joined.latents)
    assert differ(said(synth, learned), said(synth, of_prompt))


def test_the_models_that_speak_are_few(synth, prompt_file) -> None:
    voice = synth.voice(prompt_file, SAID)
    voices = [synth.adapt(voice, seed) for seed in range(6)]
    waves = [said(synth, one) for one in voices]
    assert len(synth._copies._learned) == 4
    assert torch.equal(said(synth, voices[0]), waves[0])


def test_a_batcher_leaves_it_to_draw_alone(synth, prompt_file) -> None:
    voice = synth.adapt(synth.voice(prompt_file, SAID))
    with Batcher(synth.tts) as batcher:
        streamed = torch.cat(list(synth.stream(TEXT, voice, drawing=QUICK, batcher=batcher)))
        assert batcher.most_lines == 0
    assert torch.equal(streamed, said(synth, voice))


def test_another_model_speaks_from_the_prompt_alone_and_says_so(synth, prompt_file, tiny_models, tmp_path) -> None:
    plain = synth.voice(prompt_file, SAID)
    adapted = synth.adapt(dataclasses.replace(plain, facts={"name": "Ann"}))
    adapter = dataclasses.replace(adapted.adapter, model="0123456789ab")
    spoken = synth.say(TEXT, dataclasses.replace(adapted, adapter=adapter), drawing=QUICK)
    assert torch.equal(spoken.wave, said(synth, plain))
    assert spoken.warnings == ["Ann is adapted to another model, and speaks from its prompt alone"]
    assert not synth.say(TEXT, adapted, drawing=QUICK).warnings


def test_what_cannot_be_adapted_is_told(synth, prompt_file, tiny_models, tmp_path) -> None:
    with pytest.raises(UserError, match="1.5 s or more of speech, and what is said in it; give the transcript"):
        synth.voice(prompt_file, adapt=True)
    wave, rate = read_audio(prompt_file)
    with pytest.raises(UserError, match="1.5 s or more"):
        synth.voice((wave[: int(1.2 * rate)], rate), "The fox.", adapt=True, warn=lambda line: None)
    shutil.copytree(tiny_models / "tts", tmp_path / "student")
    config = yaml.safe_load((tmp_path / "student/config.yaml").read_text())
    config["head"] = {"kind": "one-step", "width": config["head"]["width"], "blocks": config["head"]["blocks"]}
    (tmp_path / "student/config.yaml").write_text(yaml.safe_dump(config))
    student = Synthesiser.load(tmp_path / "student")
    with pytest.raises(UserError, match="a one-step model learns from its teacher"):
        student.voice(prompt_file, SAID, adapt=True)


def test_a_damaged_adapter_is_refused(synth, prompt_file) -> None:
    adapted = synth.adapt(synth.voice(prompt_file, SAID))
    name, (up, down) = next(iter(adapted.adapter.products.items()))
    for both in ((up[:-1], down), (up, down[:-1]), (up * torch.inf, down)):
        products = {**adapted.adapter.products, name: both}
        damaged = dataclasses.replace(adapted, adapter=dataclasses.replace(adapted.adapter, products=products))
        with pytest.raises(UserError, match="adapt the voice again"):
            synth.say(TEXT, damaged, drawing=QUICK)
