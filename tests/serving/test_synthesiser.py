"""Speaking in a voice: the same however it is asked for, and refusals that say the way out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import speechgen
from speechgen.audio.files import read_audio
from speechgen.audio.watermark import detect, mark
from speechgen.errors import UserError
from speechgen.models.lines import Drawing
from speechgen.models.voice import Voice
from speechgen.serving import session
from speechgen.serving.batcher import Batcher
from speechgen.serving.synthesiser import Synthesiser
from speechgen.text.pauses import RESTS
from speechgen.tokenizers.base import Tokens

TEXT = "The quick brown fox jumps over the dog."
QUICK = Drawing(steps=1, guidance=1.0)


@pytest.mark.parametrize("kind", ["tts", "tts-codes", "tts-attention"])
def test_every_kind_of_model_speaks(kind: str, tiny_models: Path, prompt_file: Path) -> None:
    synth = speechgen.load(str(tiny_models / kind))
    for voice in (None, synth.voice(prompt_file)):
        spoken = synth.say("The lazy dog.", voice, drawing=Drawing(steps=2))
        assert spoken.wave.ndim == 1 and spoken.wave.isfinite().all()
        assert 0.1 < spoken.seconds < 10
        assert spoken.wave.square().mean().sqrt() > 1e-3
        assert spoken.x_real_time > 0 and spoken.first_audio > 0


def test_a_codec_encodes_and_decodes(tiny_models: Path, prompt_file: Path) -> None:
    codec = speechgen.load(str(tiny_models / "codec"))
    wave, _ = read_audio(prompt_file, codec.sample_rate)
    assert codec.decode(codec.encode(wave[None, None])).shape[-1] >= len(wave)


@pytest.mark.parametrize("kind", ["latents", "codes"])
def test_decoding_as_units_arrive_is_decoding_them_all(kind: str, tiny_models: Path, prompt_file: Path) -> None:
    codec = speechgen.load(str(tiny_models / "codec"))
    wave = read_audio(prompt_file, codec.sample_rate)[0][None, None, :20000]
    if kind == "latents":
        units = codec.latents(wave)
        whole = codec.decode_latents(units)
    else:
        tokens = codec.encode(wave)
        units, whole = tokens.values.transpose(1, 2), codec.decode(tokens)
    streamed = torch.cat(list(session.decode_stream(codec, units.split(2, dim=1), kind)), dim=-1)
    assert streamed.shape == whole.shape
    torch.testing.assert_close(streamed, whole, atol=1e-5, rtol=1e-4)


def test_streamed_is_said(synth: Synthesiser, voice: Voice) -> None:
    said = synth.say(TEXT, voice, drawing=QUICK, seed=5)
    blocks = list(synth.stream(TEXT, voice, drawing=QUICK, seed=5))
    assert len(blocks) > 3 and all(block.ndim == 1 and len(block) for block in blocks)
    assert torch.equal(torch.cat(blocks), said.wave)


def test_the_first_audio_comes_before_the_rest_is_drawn(synth: Synthesiser, voice: Voice) -> None:
    stream = synth.stream(TEXT + " And then it sleeps for a whole day.", voice, drawing=QUICK)
    first = next(stream)
    assert len(first) / synth.sample_rate < 0.5 and not stream.spans


def test_a_seed_gives_the_same_audio_and_another_seed_another(synth: Synthesiser, voice: Voice) -> None:
    one, same, other = (synth.say(TEXT, voice, drawing=QUICK, seed=seed).wave for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert one.shape != other.shape or not torch.allclose(one, other)


def test_a_take_can_be_had_again_by_its_seed(synth: Synthesiser, voice: Voice) -> None:
    takes = synth.say(TEXT, voice, drawing=QUICK, seed=3, takes=2).takes
    assert [take.seed for take in takes] == [3, 4]
    assert torch.equal(takes[1].wave, synth.say(TEXT, voice, drawing=QUICK, seed=4).wave)


def test_threads_speak_at_once_as_they_do_alone(synth: Synthesiser, voice: Voice) -> None:
    texts = [TEXT, "A lazy dog jumps.", TEXT, "Joy over the fox, quick and brown."]
    alone = [synth.say(text, voice, drawing=QUICK, seed=number).wave for number, text in enumerate(texts)]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda job: synth.say(job[1], voice, drawing=QUICK, seed=job[0]).wave, enumerate(texts))
        for wave, expected in zip(together, alone):
            assert torch.equal(wave, expected)


def test_long_text_is_said_in_chunks_with_their_times(synth: Synthesiser, voice: Voice) -> None:
    sentences = [f"The quick brown fox number {n} jumps over the very lazy dog near the river." for n in range(5)]
    finished: list[None] = []
    spoken = synth.say(
        " ".join(sentences), voice, drawing=QUICK, on_chunk=lambda: finished.append(None), watermark=False
    )
    spans = spoken.takes[0].spans
    assert len(spans) == len(finished) == len(synth.chunks(" ".join(sentences))) >= 3
    assert spans[0].start == 0 and spans[-1].end == pytest.approx(spoken.seconds)
    for before, after in zip(spans, spans[1:]):
        assert after.start == pytest.approx(before.end + session.PAUSE_SECONDS + RESTS["."])
        silence = spoken.wave[round(before.end * 16000) : round(after.start * 16000)]
        assert not silence.any()
        # No click at the edges: the sound before the pause has faded out, the sound after it fades in.
        assert spoken.wave[round(before.end * 16000) - 1] == 0 == spoken.wave[round(after.start * 16000)]


def test_each_frame_is_computed_once(synth: Synthesiser, voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    stepped, decoded = [], []
    step, decode = synth.tts.transformer.step, synth.codec.decode_latents_step
    monkeypatch.setattr(synth.tts.transformer, "step", lambda x, state: (stepped.append(x.shape[1]), step(x, state))[1])
    monkeypatch.setattr(
        synth.codec, "decode_latents_step", lambda x, state: (decoded.append(x.shape[1]), decode(x, state))[1]
    )
    list(synth.stream(TEXT, voice, drawing=QUICK))
    prompt_steps = -(-len(voice.latents) // synth.tts.config.patch)
    steps = sum(stepped) - prompt_steps
    assert stepped[0] == prompt_steps + 1 and set(stepped[1:]) == {1}
    assert sum(decoded) == steps * synth.tts.config.patch


@pytest.mark.parametrize("kind", ["tts", "tts-codes"])
def test_the_stream_is_what_all_units_at_once_decode_to(kind: str, tiny_models: Path, prompt_file: Path) -> None:
    synth = speechgen.load(str(tiny_models / kind))
    stream = synth.stream(TEXT, synth.voice(prompt_file), drawing=QUICK, seed=3, watermark=False)
    units, taken = [], session.speak
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "speak", lambda *arguments: (units.append(u) or u for u in taken(*arguments)))
        streamed = torch.cat(list(stream))
    whole = torch.cat(units, 1)
    tokens = Tokens(whole.transpose(1, 2), "discrete")
    offline = (synth.codec.decode_latents(whole) if kind == "tts" else synth.codec.decode(tokens))[0, 0]
    # The steady gain that levels speech is the only thing between them, but for the fades at either end.
    assert len(streamed) == len(offline)
    inside = slice(200, -200)
    ratio = (streamed[inside] / offline[inside])[offline[inside].abs() > 1e-3]
    assert 0.5 < ratio.min() and ratio.max() < 2.0
    assert ratio.diff().abs().max() < 0.02


def test_through_a_batcher_a_text_is_said_as_alone(synth: Synthesiser, voice: Voice) -> None:
    alone = synth.say(TEXT, voice, drawing=QUICK, seed=5).wave
    with Batcher(synth.tts) as batcher, ThreadPoolExecutor(3) as pool:
        jobs = [
            pool.submit(lambda: torch.cat(list(synth.stream(TEXT, voice, "en", QUICK, 5, batcher=batcher))))
            for _ in "abc"
        ]
        for job in jobs:
            torch.testing.assert_close(job.result(), alone, atol=1e-4, rtol=1e-3)


def test_a_session_that_is_closed_draws_no_more(synth: Synthesiser, voice: Voice) -> None:
    with Batcher(synth.tts) as batcher:
        stream = synth.stream(TEXT, voice, "en", QUICK, batcher=batcher)
        next(stream)
        stream.close()
        assert not batcher._lines and not list(stream)


def test_a_passage_can_be_said_without_those_before_it(synth: Synthesiser, voice: Voice) -> None:
    text = " ".join(f"The quick brown fox number {n} jumps over the very lazy dog near the river." for n in range(4))
    whole = synth.stream(text, voice, drawing=QUICK, watermark=False)
    levels = []
    whole.on_chunk = lambda: levels.append(whole.levels)
    wave = torch.cat(list(whole))
    rest = synth.stream(text, voice, drawing=QUICK, watermark=False, first=2, levels=levels[1])
    assert torch.equal(torch.cat(list(rest)), wave[round(whole.spans[1].end * synth.sample_rate) :])


def test_what_is_said_is_marked(synth: Synthesiser, voice: Voice) -> None:
    text = " ".join(["The quick brown fox jumps over the very lazy dog near the river."] * 4)
    marked = synth.say(text, voice, drawing=QUICK).wave
    plain = synth.say(text, voice, drawing=QUICK, watermark=False).wave
    torch.testing.assert_close(marked, mark(plain, synth.sample_rate), atol=1e-5, rtol=1e-4)
    assert detect(marked, synth.sample_rate).found and not detect(plain, synth.sample_rate).found


def test_speed_shortens(synth: Synthesiser, voice: Voice) -> None:
    slow, fast = (synth.say(TEXT, voice, drawing=Drawing(1, 1.0, speed=speed)).seconds for speed in (0.5, 1.5))
    assert slow > 1.3 * fast


def test_speech_without_an_end_is_cut_and_told(
    synth: Synthesiser, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "speak", lambda *arguments: iter(torch.randn(1, 2, 8) for _ in range(10**9)))
    spoken = synth.say("The dog.", voice, drawing=QUICK)
    assert spoken.seconds < 6
    assert "found no end" in spoken.warnings[0]


@pytest.mark.parametrize(
    ("text", "language", "hint"),
    [
        ("", "en", "empty"),
        ("  \n", "en", "empty"),
        ("...", "en", "nothing to say"),
        ("Привет", "en", "Cyrillic"),
        ("a\x00b", "en", "U\\+0000"),
        ("x" * 50001, "en", "50001 characters"),
        ("Bonjour", "fr", "speaks de, en"),
    ],
)
def test_text_that_cannot_be_said_is_refused(text: str, language: str, hint: str, synth: Synthesiser) -> None:
    with pytest.raises(UserError, match=hint):
        synth.stream(text, language=language)


@pytest.mark.parametrize("changes", [{"steps": 0}, {"temperature": -1.0}, {"speed": 100.0}, {"guidance": float("nan")}])
def test_settings_out_of_range_are_refused_by_name(changes: dict, synth: Synthesiser) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        synth.say(TEXT, drawing=Drawing(**changes))


def test_sounds_that_the_model_never_learned_are_told(synth: Synthesiser) -> None:
    spoken = synth.say("Genre, measure.", drawing=QUICK)
    assert "never learned" in spoken.warnings[0] and "ʒ" in spoken.warnings[0]


def test_a_model_that_does_not_speak_is_refused(tiny_models: Path) -> None:
    with pytest.raises(UserError, match="is a codec"):
        Synthesiser.load(tiny_models / "codec")
