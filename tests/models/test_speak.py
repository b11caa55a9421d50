"""Drawing speech: what generation sees is what training showed, and when it ends."""

from itertools import islice

import numpy as np
import pytest
import torch

from speechgen.models.arrange import make_rows
from speechgen.models.conditions import GUARD, SECONDS_PER_SYMBOL, hear, plan_durations
from speechgen.models.lines import Drawing
from speechgen.models.rows import Segment, symbol_numbers
from speechgen.models.speak import remember, speak
from speechgen.models.tts import TokenTTS
from speechgen.models.voice import Voice

TRIPLES = ["latents, given", "latents, attention", "codes, delay", "codes, depth"]
SAID = [" ", "a", "b", "c", " "]


def a_prompt(model: TokenTTS, durations=(2, 3, 1)) -> Segment:
    draw = torch.Generator().manual_seed(7)
    codes = model.config.unit == "codes"
    shape = (sum(durations), 3 if codes else 6)
    units = torch.randint(8, shape, generator=draw) if codes else torch.randn(shape, generator=draw)
    return Segment(units, np.arange(1, 1 + len(durations)), np.array(durations))


def a_voice(model: TokenTTS) -> Voice:
    prompt = a_prompt(model)
    return Voice(prompt.units, torch.from_numpy(np.repeat(prompt.symbols, prompt.durations)), "en", "a codec")


def said(model: TokenTTS, voice: Voice | None = None, seed: int = 0, takes: int = 1, **drawing) -> torch.Tensor:
    """Units (takes, T, C or K)."""
    options = Drawing(**{"steps": 2, "guidance": 1.0, **drawing})
    draws = torch.Generator().manual_seed(seed)
    return torch.cat(list(speak(model, SAID, "en", voice, options, draws, takes)), 1)


def never_stops(model: TokenTTS) -> TokenTTS:
    model.stop.bias.data.fill_(-1000.0)
    return model


def planned(model: TokenTTS, prompt: Segment | None, speed: float = 1.0) -> Segment:
    numbers = symbol_numbers(model.config, SAID)
    durations = plan_durations(model, numbers, "en", hear(model, prompt, "en"), speed)
    return Segment(None, numbers, durations).whole_steps(model.config.patch)


@pytest.fixture
def record(monkeypatch):
    """record(model) is a list that fills with the backbone's last output (rows, C) at each step."""

    def record(model: TokenTTS) -> list[torch.Tensor]:
        seen, step = [], model.transformer.step

        def recording(x, state):
            z, state = step(x, state)
            seen.append(z[:, -1].clone())
            return z, state

        monkeypatch.setattr(model.transformer, "step", recording)
        return seen

    return record


@pytest.mark.parametrize("triple", TRIPLES)
@pytest.mark.parametrize("with_voice", [True, False], ids=["voice", "no voice"])
@pytest.mark.parametrize("guidance", [1.0, 1.5])
@torch.no_grad()
def test_generation_sees_what_training_showed(triple, with_voice, guidance, make_tts, record):
    model = never_stops(make_tts(triple))
    prompt = a_prompt(model) if with_voice else None
    seen = record(model)
    units = said(model, a_voice(model) if with_voice else None, guidance=guidance)[0]

    # The units that were drawn, read as training reads them: all at once.
    plan = planned(model, prompt)
    assert len(units) == plan.frames
    rows = make_rows(model, [(prompt, Segment(units, plan.symbols, plan.durations))], ["en"])
    history = model.embed(rows.values)
    voice = model.voice_vector(history, rows.prompt_steps)
    start = int(rows.prompt_steps[0])
    assert len(seen) == int(rows.steps[0]) - start
    for row in range(1 if guidance == 1.0 else 2):
        null = torch.tensor([row == 1])
        told, memory = model.text(rows, null)
        z = model.transformer(model.inputs(history, told, rows, voice, null), None, memory)
        generated = torch.stack([step[row] for step in seen])
        torch.testing.assert_close(generated, z[0, start:], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("triple", TRIPLES)
def test_the_same_seed_says_the_same(triple, make_tts):
    model = never_stops(make_tts(triple))
    one, again, other = (said(model, a_voice(model), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert one.isfinite().all()


@pytest.mark.parametrize("triple", TRIPLES)
def test_takes_are_rows_of_one_batch(triple, make_tts):
    model = never_stops(make_tts(triple))
    voice = a_voice(model)
    plain = said(model, voice, temperature=0.0, guidance=1.5)
    takes = said(model, voice, takes=3, temperature=0.0, guidance=1.5)
    assert takes.shape == (3, *plain.shape[1:])
    for take in takes:
        torch.testing.assert_close(take, plain[0], atol=1e-4, rtol=1e-3)
    lively = said(model, voice, takes=2, temperature=1.0)
    assert not torch.equal(lively[0], lively[1])


def a_long_voice(model: TokenTTS) -> Voice:
    """Of more symbols than the text encoder's convolutions reach back."""
    prompt = a_prompt(model, durations=(2,) * 4 * model.config.symbol_blocks)
    numbers = 1 + np.arange(len(prompt.symbols)) % len(model.config.symbols)
    return Voice(prompt.units, torch.from_numpy(np.repeat(numbers, prompt.durations)), "en", "a codec")


@pytest.mark.parametrize("triple", [triple for triple in TRIPLES if triple != "latents, attention"])
@pytest.mark.parametrize("guidance", [1.0, 1.5])
@pytest.mark.parametrize("takes", [1, 2])
def test_a_remembered_prompt_is_as_one_read_anew(triple, guidance, takes, make_tts, monkeypatch):
    model = never_stops(make_tts(triple))
    voice, read, step = a_long_voice(model), [], model.transformer.step
    monkeypatch.setattr(model.transformer, "step", lambda x, state: (read.append(x.shape[1]), step(x, state))[1])
    drawing, said = Drawing(steps=2, guidance=guidance, temperature=0.0), []
    for remembered in (None, remember(model, voice, "en", drawing)):
        read.clear()
        draws = torch.Generator().manual_seed(3)
        speech = speak(model, SAID, "en", voice, drawing, draws, takes, remembered=remembered)
        said.append((torch.cat(list(speech), 1), read[0]))
    (anew, all_read), (again, few_read) = said
    assert 0 < few_read < all_read
    torch.testing.assert_close(again, anew, atol=1e-4, rtol=1e-3)


def test_nothing_is_remembered_where_a_prompt_hears_the_text(make_tts):
    model = make_tts("latents, attention")
    assert remember(model, a_voice(model), "en", Drawing()) is None
    model = make_tts()
    voice = a_voice(model)
    assert remember(model, voice, "en", Drawing()) is not None
    voice.symbols.fill_(-1)
    assert remember(model, voice, "en", Drawing()) is None


@pytest.mark.parametrize("triple", TRIPLES)
def test_guidance_of_one_is_no_guidance(triple, make_tts, record):
    model = never_stops(make_tts(triple))
    voice = a_voice(model)
    nearly = said(model, voice, guidance=1.0 + 1e-6)
    strong = said(model, voice, guidance=3.0)
    seen = record(model)
    plain = said(model, voice, guidance=1.0)
    assert {len(rows) for rows in seen} == {1}  # half the work
    torch.testing.assert_close(plain, nearly, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(plain.float(), strong.float(), atol=1e-3)


def test_frames_come_as_they_are_made(make_tts, record):
    model = never_stops(make_tts())
    seen = record(model)
    speech = speak(model, SAID, "en", None, Drawing(steps=1), torch.Generator().manual_seed(0))
    first = list(islice(speech, 2))
    assert len(seen) == 2 and [frame.shape for frame in first] == [(1, 2, 6)] * 2


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_the_length_guard_ends_what_would_not_stop(speed, make_tts):
    model = never_stops(make_tts("latents, attention"))
    guard = len(SAID) * round(GUARD * SECONDS_PER_SYMBOL * model.config.frame_rate / speed)
    assert said(model, speed=speed).shape[1] == guard + guard % model.config.patch


def test_attention_stops_when_the_model_says_so(make_tts):
    model = make_tts("latents, attention")
    model.stop.bias.data.fill_(1000.0)
    assert said(model).shape[1] == model.config.patch


@pytest.mark.parametrize("triple", ["latents, given", "codes, delay", "codes, depth"])
def test_a_given_alignment_says_every_symbol_before_it_may_stop(triple, make_tts):
    model = make_tts(triple)
    model.stop.bias.data.fill_(1000.0)
    plan, patch = planned(model, None), model.config.patch
    until_last = (plan.frames - int(plan.durations[-1])) // patch * patch + patch
    assert said(model).shape[1] == until_last <= plan.frames


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0, 1000.0])
def test_no_symbol_is_lost_and_speed_divides_the_length(speed, make_tts):
    model = make_tts()
    numbers = symbol_numbers(model.config, [" ", *"abcdefgh" * 3, "ʒ", " "])
    durations = plan_durations(model, numbers, "de", hear(model, a_prompt(model), "de"), speed)
    assert (durations >= 1).all() and len(durations) == len(numbers)
    symbols = torch.from_numpy(numbers)[None]
    rows = make_rows(model, [(None, a_prompt(model))], ["de"])
    voice = model.voice_vector(model.embed(rows.values), rows.steps)
    mask = torch.ones_like(symbols, dtype=torch.bool)
    expected = model.durations.frames(symbols, torch.tensor([0]), mask, voice).sum().item() / speed
    assert durations.sum() == pytest.approx(max(expected, len(numbers)), abs=1 + int((durations == 1).sum()))
    if speed == 1000.0:
        assert (durations == 1).all()


def test_a_voice_changes_what_is_said(make_tts):
    for triple in TRIPLES:
        model = never_stops(make_tts(triple))
        alone, voiced = said(model, temperature=0.0), said(model, a_voice(model), temperature=0.0)
        frames = min(alone.shape[1], voiced.shape[1])
        assert not torch.equal(alone[:, :frames], voiced[:, :frames]), triple


def test_a_voice_without_transcript_speaks(make_tts):
    for triple in TRIPLES:
        model = never_stops(make_tts(triple))
        voice = a_voice(model)
        voice.symbols.fill_(-1)
        unknown, known = said(model, voice, temperature=0.0), said(model, a_voice(model), temperature=0.0)
        assert unknown.isfinite().all() and unknown.shape[2] == known.shape[2], triple
        if "latents" in triple:  # of few codes, a tiny model may well choose the same ones
            assert not torch.equal(unknown, known), triple


def test_codes_are_codes(make_tts):
    for triple in ("codes, delay", "codes, depth"):
        codes = said(never_stops(make_tts(triple)), temperature=1.0)
        assert codes.dtype == torch.long and codes.shape[2] == 3
        assert codes.min() >= 0 and codes.max() < 8
