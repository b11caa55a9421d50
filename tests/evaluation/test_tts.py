"""Test sentences said by a tiny model: prompts, choice, files, going on, failures."""

import json
from dataclasses import replace

import pytest
import torch

from speechgen.audio.files import read_audio, write_audio
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.errors import UserError
from speechgen.evaluation.recordings import Recordings, corpus_prefix, find_recordings
from speechgen.evaluation.tts import Choice, choose_prompts, read_list, resynthesise, speak_all
from speechgen.models.lines import Drawing
from speechgen.serving.synthesiser import Synthesiser

RATE = 16000
QUICK = Drawing(steps=1, guidance=1.0)
SENTENCES = {
    "north-anna": ["the quick fox", "the lazy dog", "over the dog"],
    "north-bert": ["the quick fox", "The quick fox", "brown dog"],
    "south-otto": ["zwölf", "jagen viktor"],
    "south-solo": ["viktor"],
}


def buzz(seconds: float, pitch: float) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE)) / RATE
    wave = sum(torch.sin(2 * torch.pi * k * pitch * time) / k for k in range(1, 20))
    return 0.1 * wave * (torch.sin(4 * torch.pi * time) > -0.5)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    utterances = []
    for number, (speaker, texts) in enumerate(SENTENCES.items()):
        for take, text in enumerate(texts):
            name = f"{speaker}-{take}"
            # The second take of each speaker is too short to be a good prompt.
            write_audio(root / f"{name}.wav", buzz(1.2 if take == 1 else 3.4, 100 + 40 * number), RATE)
            language = "de" if speaker.startswith("south") else "en"
            utterances.append(Utterance(name, root / f"{name}.wav", text, speaker, language))
    DataDir(utterances, root).write(root / "test")
    return root / "test"


@pytest.fixture(scope="module")
def recordings(data_dir):
    return find_recordings(data_dir)


@pytest.fixture(scope="module")
def synthesiser(tiny_models):
    return Synthesiser.load(tiny_models / "tts")


@pytest.fixture(scope="module")
def said(synthesiser, recordings, tmp_path_factory):
    """A folder with everything said."""
    out = tmp_path_factory.mktemp("said") / "generate"
    speak_all(synthesiser, recordings, list(recordings.utterances), out, QUICK, facts={"model": "tiny"})
    return out


class Counting(Synthesiser):
    """Counts what it says."""

    said = 0

    def say(self, *arguments, **options):
        self.said += 1
        return super().say(*arguments, **options)


@pytest.fixture
def counting(synthesiser):
    return Counting(synthesiser.tts, synthesiser.codec, synthesiser.listener)


def test_the_prompt_is_another_utterance_of_the_speaker_with_other_words(recordings):
    prompts = choose_prompts(recordings)
    for name, prompt in prompts.items():
        target, other = recordings.utterances[name], recordings.utterances[prompt]
        assert target.speaker == other.speaker
        assert target.text.lower() != other.text.lower()
    assert set(recordings.utterances) - set(prompts) == {"south-solo-0"}


def test_a_prompt_of_good_length_is_preferred_and_not_always_the_same(recordings):
    prompts = choose_prompts(recordings)
    assert prompts["north-anna-0"] == "north-anna-2"  # the next one is too short
    assert prompts["north-anna-2"] == "north-anna-0"
    assert prompts["south-otto-0"] == "south-otto-1"  # there is no other


def test_a_choice_of_corpora(recordings):
    assert {corpus_prefix(u.speaker) for u in recordings.utterances.values()} == {"north", "south"}
    chosen = Choice(("south",)).of(recordings)
    assert chosen == ["south-otto-0", "south-otto-1", "south-solo-0"]
    with pytest.raises(UserError, match="nroth.*did you mean 'north'"):
        Choice(("nroth",)).of(recordings)


def test_a_few_utterances_stand_for_each_of_many_speakers(tmp_path):
    def utterances(corpus: str, speakers: int) -> dict[str, Utterance]:
        names = [(f"{corpus}-{s:02}", f"{corpus}-{s:02}-{n}") for s in range(speakers) for n in range(6)]
        return {name: Utterance(name, tmp_path, "text", speaker, "en") for speaker, name in names}

    many = Recordings("", {**utterances("crowd", 11), **utterances("few", 10)})
    chosen = Choice(per_speaker=2).of(many)
    assert sum(name.startswith("crowd") for name in chosen) == 22
    assert sum(name.startswith("few") for name in chosen) == 60
    assert [name for name in chosen if name.startswith("crowd-03")] == ["crowd-03-0", "crowd-03-3"]
    assert len(Choice(limit=7).of(many)) == 7


def test_speech_resynthesis_and_a_line_for_each_utterance(said, recordings):
    lines = read_list(said)
    assert set(lines) == set(recordings.utterances)
    for name, line in lines.items():
        assert line["text"] == recordings.utterances[name].text
        if name == "south-solo-0":
            continue
        wave, rate = read_audio(said / f"{name}.wav")
        assert rate == RATE and len(wave) / rate == pytest.approx(line["seconds"], abs=1e-3)
        assert line["x_real_time"] > 0 and line["first_audio"] > 0 and line["prompt"]
        copy, _ = read_audio(said / "resynthesis" / f"{name}.wav")
        assert len(copy) == len(recordings.read(name, RATE))


def test_what_cannot_be_said_is_counted_and_the_rest_goes_on(said):
    assert {name: line["failed"] for name, line in read_list(said).items() if "failed" in line} == {
        "south-solo-0": "has no prompt: its speaker said nothing else"
    }


def test_a_language_that_the_model_lacks_is_a_failure(synthesiser, recordings, tmp_path):
    foreign = {name: replace(one, language="fr") for name, one in recordings.utterances.items()}
    spoken = speak_all(synthesiser, replace(recordings, utterances=foreign), ["north-anna-0"], tmp_path / "out", QUICK)
    assert spoken.lines["north-anna-0"]["failed"] == "is in 'fr', and the model speaks de, en"


def test_the_same_seed_says_the_same_whatever_else_is_said(said, synthesiser, recordings, tmp_path):
    speak_all(synthesiser, recordings, ["north-bert-2"], tmp_path / "out", QUICK)
    assert (tmp_path / "out" / "north-bert-2.wav").read_bytes() == (said / "north-bert-2.wav").read_bytes()


def test_goes_on_where_it_was_stopped(said, counting, recordings):
    everything = list(recordings.utterances)
    before = {name: (said / f"{name}.wav").read_bytes() for name in everything if name != "south-solo-0"}
    (said / "north-anna-1.wav").unlink()
    (said / "resynthesis" / "south-otto-0.wav").unlink()
    speak_all(counting, recordings, everything, said, QUICK, facts={"model": "tiny"})
    assert counting.said == 2
    assert {name: (said / f"{name}.wav").read_bytes() for name in before} == before


def test_voices_may_be_adapted_to_their_prompts(said, synthesiser, recordings, tmp_path, quick_adapting):
    names, out, facts = ["north-anna-0", "north-bert-2"], tmp_path / "out", {"model": "tiny"}
    spoken = speak_all(synthesiser, recordings, names, out, QUICK, facts=facts, adapt=True)
    assert not any("failed" in line for line in spoken.lines.values())
    for name in names:
        assert (out / f"{name}.wav").read_bytes() != (said / f"{name}.wav").read_bytes()
    # Said without, it is another run.
    speak_all(synthesiser, recordings, names[:1], out, QUICK)
    assert list(read_list(out)) == names[:1]


def test_a_run_may_be_split(synthesiser, recordings, tmp_path):
    for corpora in (("north",), ("south",)):
        speak_all(synthesiser, recordings, Choice(corpora, limit=2).of(recordings), tmp_path / "out", QUICK)
    assert {corpus_prefix(line["speaker"]) for line in read_list(tmp_path / "out").values()} == {"north", "south"}


def test_what_was_said_otherwise_is_forgotten(synthesiser, recordings, tmp_path):
    out = tmp_path / "out"
    speak_all(synthesiser, recordings, ["north-anna-0", "north-anna-1"], out, QUICK)
    speak_all(synthesiser, recordings, ["north-anna-0"], out, QUICK, seed=1)
    assert list(read_list(out)) == ["north-anna-0"]
    assert not (out / "north-anna-1.wav").exists()


def test_a_folder_of_something_else_is_left_alone(synthesiser, recordings, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds something else"):
        speak_all(synthesiser, recordings, ["north-anna-0"], tmp_path, QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_list_is_named(tmp_path):
    with pytest.raises(UserError, match="list.jsonl: no such file"):
        read_list(tmp_path)
    (tmp_path / "list.jsonl").write_text('{"id": "a"}\n{"id"')
    with pytest.raises(UserError, match="list.jsonl: is damaged"):
        read_list(tmp_path)


def test_what_ran_on_what_is_written_down(said, synthesiser):
    summary = json.loads((said / "generate.json").read_text())
    assert summary["facts"]["model"] == "tiny" and "torch" in summary["facts"]["generated on"]
    assert summary["settings"]["drawing"]["steps"] == 1
    assert summary["listener"] == synthesiser.tts.config.listener


@pytest.mark.parametrize("model", ["tts", "tts-codes"])
@torch.no_grad()
def test_resynthesis_goes_through_the_units_of_the_model(model, tiny_models, recordings):
    synthesiser = Synthesiser.load(tiny_models / model)
    codec, wave = synthesiser.codec, recordings.read("north-anna-0", RATE)
    if model == "tts":
        expected = codec.decode_latents(codec.latents(wave[None, None]))
    else:
        expected = codec.decode(codec.encode(wave[None, None], 3))
    torch.testing.assert_close(resynthesise(synthesiser, wave), expected[0, 0, : len(wave)])
