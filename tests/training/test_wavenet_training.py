"""How a WaveNet is trained: what is scored, what it is told, and that it learns."""

import math

import numpy as np
import pytest
import torch

from speechgen.config import make_config
from speechgen.data.shards import Example
from speechgen.errors import UserError
from speechgen.models.wavenet import WaveNetConfig, build_wavenet
from speechgen.training.loop import train
from speechgen.training.pace import TrainConfig
from speechgen.training.wavenet import Excerpts, WaveNetTask, WaveNetTraining, with_labels

RATE = 4000
SIZES = {"sample_rate": RATE, "layers": 3, "cycle": 3, "residual": 12, "skip": 12, "hidden": 16, "condition": 6}


def note(number: int, pitch: str, samples: int) -> Example:
    time = np.arange(samples) / RATE
    wave = 0.3 * np.sin(2 * np.pi * {"low": 100, "high": 400}[pitch] * time + number)
    return Example(str(number), "bass", "text", "zxx", RATE, (32767 * wave).astype(np.int16), {"utt2pitch": pitch})


NOTES = [note(number, ["low", "high"][number % 2], 600 + 150 * number) for number in range(6)]


def task(model: dict | None = None, **values) -> WaveNetTraining:
    config = make_config(WaveNetConfig, {**SIZES, **(model or {})})
    torch.manual_seed(0)
    settings = {"batch": 3, "seconds": 0.05, "dev_recordings": 2, "shown_seconds": 0.1, **values}
    network = build_wavenet(with_labels(config, NOTES))
    return WaveNetTraining(network, make_config(WaveNetTask, settings), NOTES, NOTES[:4], seed=1)


def test_every_sample_is_scored_about_equally_often():
    lengths = [50, 400, 1000]
    excerpts = Excerpts(lengths, samples=100, context=30, align=1, batch=1, seed=0)
    counts = [np.zeros(length) for length in lengths]
    for step in range(6000):
        for recording, begin, context in excerpts.places(step):
            end = begin + context + 100 if begin else begin + 100
            counts[recording][begin + context : end] += 1
    middle = counts[2][100:900].mean()
    assert all(count.min() > 0.2 * middle and count.max() < 3 * middle for count in counts[1:])
    assert counts[0].min() > 0.2 * middle


@pytest.mark.parametrize("align", [1, 16])
def test_context_is_a_whole_receptive_field_or_the_recording_s_beginning(align):
    excerpts = Excerpts([50, 400, 1000], samples=100, context=30, align=align, batch=4, seed=3)
    places = [place for step in range(200) for place in excerpts.places(step)]
    assert excerpts.places(7) == excerpts.places(7) and excerpts.size % align == 0
    for recording, begin, context in places:
        assert begin % align == 0 and 0 <= begin < [50, 400, 1000][recording]
        assert context == 0 if begin == 0 else 30 <= context <= excerpts.size - 100
    assert {begin == 0 for _, begin, _ in places} == {True, False}


def test_an_excerpt_is_scored_as_within_its_whole_recording():
    training = task(unknown=0.0)
    model = training.model
    for step in range(4):
        batch = training.batch(step, 0, 1)
        for row, (recording, begin, _) in enumerate(training.excerpts.places(step)):
            wave = torch.from_numpy(NOTES[recording].audio / 32768).float()
            ids = model.label_ids({"pitch": NOTES[recording].extras["utt2pitch"]}) if model.config.labels else {}
            labels = {kind: values[row : row + 1] for kind, values in batch.labels.items()}
            assert labels == ids
            with torch.no_grad():
                whole = model(model.tokenizer.encode(wave[None]), model.condition(ids))
                piece = model(model.tokenizer.encode(batch.waves[row : row + 1]), model.condition(labels))
            count = min(batch.waves.shape[1], len(wave) - begin)
            scored = batch.scored[row, :count]
            assert scored.any() and not batch.scored[row, count:].any()
            assert torch.allclose(piece[0, :count][scored], whole[0, begin : begin + count][scored], atol=1e-5)


def test_a_vocoder_s_excerpt_has_the_frames_of_its_recording():
    training = task({"mel": {"bands": 8, "hop": 16, "window": 64}})
    batch = training.batch(2, 0, 1)
    hop = 16
    for row, (recording, begin, _) in enumerate(training.excerpts.places(2)):
        wave = torch.from_numpy(NOTES[recording].audio / 32768).float()
        whole = training.model.mel_of(wave[None])[0]
        count = min(batch.mel.shape[-1], whole.shape[-1] - begin // hop)
        assert torch.equal(batch.mel[row, :, :count], whole[:, begin // hop : begin // hop + count])
        assert batch.mel.shape[-1] * hop == batch.waves.shape[1]
    loss, facts = training.losses("wavenet", batch, 0, torch.Generator())
    assert loss.isfinite() and facts["bits_per_sample"] == pytest.approx(loss.item() / math.log(2))


def test_labels_are_filled_in_and_sometimes_withheld():
    training = task({"labels": {"pitch": [], "speaker": []}}, unknown=0.5, batch=40)
    assert training.model.config.labels == {"pitch": ["high", "low"], "speaker": ["bass"]}
    pitches = training.batch(0, 0, 1).labels["pitch"]
    assert set(pitches.tolist()) == {-1, 0, 1}


def test_ranks_share_a_batch():
    training = task({"labels": {"pitch": []}})
    whole, parts = training.batch(5, 0, 1), [training.batch(5, rank, 2) for rank in range(2)]
    assert torch.equal(whole.waves[::2], parts[0].waves) and torch.equal(whole.waves[1::2], parts[1].waves)
    assert torch.equal(whole.labels["pitch"][1::2], parts[1].labels["pitch"])


def test_what_was_never_heard_in_training_is_told_before_it_begins():
    config = with_labels(make_config(WaveNetConfig, {**SIZES, "labels": {"pitch": []}}), NOTES[::2])
    assert config.labels == {"pitch": ["low"]}
    with pytest.raises(UserError, match="pitch high: not one of low"):
        WaveNetTraining(build_wavenet(config), WaveNetTask(), NOTES[::2], NOTES[:2])
    with pytest.raises(UserError, match="0: has no label 'colour'"):
        with_labels(make_config(WaveNetConfig, {"labels": {"colour": []}}), NOTES)


@pytest.mark.parametrize("head", ["categorical", "logistics"])
def test_it_learns_tones_and_is_shown(head, tmp_path):
    training = task({"labels": {"pitch": []}, "head": head}, seconds=0.1)
    generator = torch.Generator().manual_seed(0)
    before = training.evaluate({"wavenet": training.model}, generator).scalars["bits_per_sample"]
    steps = {"steps": 40, "learning_rate": 1e-2, "warmup": 5, "ema": 0.8, "bf16": False, "evaluate_every": 40}
    train(training, make_config(TrainConfig, steps), tmp_path, device="cpu")
    shown = training.evaluate({"wavenet": training.model}, generator)
    assert shown.scalars["bits_per_sample"] < before - 1
    assert len(shown.audio["generated"][0]) == round(0.1 * RATE) and shown.pictures["recorded_and_generated"].ndim == 3


def test_an_excerpt_reads_the_clock_as_the_whole_recording_does():
    training = task({"clock": 20, "labels": {"pitch": []}}, unknown=0.0)
    whole = training.model.condition.times(2000)
    for step in range(20):
        batch = training.batch(step, 0, 1)
        for row, (_, begin, _) in enumerate(training.excerpts.places(step)):
            first = begin // 20
            assert begin % 20 == 0 and torch.equal(batch.times[row], whole[0, first : first + batch.times.shape[1]])
    assert training.losses("wavenet", batch, 0, torch.Generator())[0].isfinite()


def test_a_clock_tells_before_from_after():
    """Silence, then clicks: of a short silence only the clock knows whether a click may follow."""
    click = np.zeros(800, np.int16)
    for first in range(400, 800, 20):
        click[first : first + 5] = 20000
    notes = [Example(str(n), "bass", "text", "zxx", RATE, click, {}) for n in range(2)]
    torch.manual_seed(0)
    network = build_wavenet(make_config(WaveNetConfig, {**SIZES, "labels": {}, "clock": 10}))
    settings = make_config(WaveNetTask, {"batch": 2, "seconds": 0.2, "shown_seconds": 0})
    training = WaveNetTraining(network, settings, notes, notes, seed=1)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(150):
        loss, _ = training.losses("wavenet", training.batch(step, 0, 1), step, torch.Generator())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    silence = network.tokenizer.encode(torch.zeros(1, 800))
    logits = network.head.logits(network(silence, network.condition(times=network.condition.times(800))))[0, :, 0]
    surprise = -logits.log_softmax(-1)[:, network.tokenizer.encode(torch.tensor([[20000 / 32768]]))[0, 0]]
    assert surprise[500] < surprise[100] - 2
