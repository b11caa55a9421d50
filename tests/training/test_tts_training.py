"""How the TTS is trained: where prompts come from, what is hidden, what is disturbed, what it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from speechgen.errors import UserError
from speechgen.models.tts_config import UNKNOWN
from speechgen.training.loop import train
from speechgen.training.tts import TTSTask, build_tts, disturbed

CODES = {"unit": "codes", "patch": 1, "order": {"kind": "delay"}, "head": {"kind": "categorical"}}


@pytest.mark.parametrize("config_of_model", [{}, CODES], ids=["latents", "codes"])
def test_the_loss_falls_on_a_tiny_problem(config_of_model, build, config, tmp_path, left_behind):
    train(build("tts", **config_of_model), config(60, log_every=10, learning_rate=1e-2), tmp_path)
    log = left_behind(tmp_path)[1]
    assert log["tts/total"][-1][1] < 0.9 * log["tts/total"][0][1]
    assert log["tts/duration"][-1][1] < log["tts/duration"][0][1]
    assert {"dev/unit", "dev/stop", "dev/duration"} <= log.keys()


def test_prompts_are_other_sentences_of_the_same_speaker(build):
    task = build("tts")
    task.task = TTSTask(prompt_seconds=(0.05, 0.1), no_prompt=0.0, no_transcript=0.0)
    draw = np.random.default_rng(0)
    for target in task.train.units:
        for _ in range(5):
            prompt = task._prompt(target, task.train, draw)
            others = [one for one in task.train.units if one.speaker == target.speaker and one.id != target.id]
            assert any(
                np.array_equal(one.latents[start : start + len(prompt.units)].astype(np.float32), prompt.units.numpy())
                for one in others
                for start in range(one.frames)
            )
            assert prompt.durations.sum() == len(prompt.units) <= 10


def test_prompts_and_transcripts_are_left_out_as_often_as_told(build):
    task = build("tts")
    task.task = TTSTask(prompt_seconds=(0.05, 0.1), no_prompt=0.5, no_transcript=0.5)
    draw = np.random.default_rng(0)
    prompts = [task._prompt(task.train.units[0], task.train, draw) for _ in range(400)]
    given = [prompt for prompt in prompts if prompt is not None]
    assert len(given) == pytest.approx(200, abs=50)
    unknown = [prompt for prompt in given if (prompt.symbols == UNKNOWN).all()]
    assert len(unknown) == pytest.approx(len(given) / 2, abs=40)


def test_a_speaker_with_one_sentence_has_no_prompt(build):
    task = build("tts")
    alone = build("units")[0]
    alone.speaker = "alone"
    task.train.of_speaker["alone"] = [alone]
    assert task._prompt(alone, task.train, np.random.default_rng(0)) is None


@pytest.mark.parametrize("config_of_model", [{}, CODES], ids=["latents", "codes"])
def test_the_history_is_disturbed_and_the_target_is_not(config_of_model, build):
    task = build("tts", **config_of_model)
    batch = task.batch(0, 0, 1)
    before = batch.rows.values.clone()
    clean = task.model.embed(batch.rows.values)
    for noise, drop, changes in ((0.0, 0.0, False), (0.9, 0.0, True), (0.0, 0.9, True)):
        task.task = TTSTask(history_noise=noise, history_drop=drop)
        heard = disturbed(task.model, task.task, batch.rows, torch.Generator().manual_seed(0))
        assert torch.equal(heard, clean) != changes
    assert torch.equal(batch.rows.values, before)


def test_blank_history_is_the_targets_and_leaves_the_prompt(build):
    task = build("tts")
    batch, task.task = task.batch(0, 0, 1), TTSTask(history_noise=0.0, history_drop=0.0, history_blank=1.0)
    heard, clean = disturbed(task.model, task.task, batch.rows, torch.Generator()), task.model.embed(batch.rows.values)
    of_prompt = torch.arange(heard.shape[1])[None] < batch.rows.prompt_steps[:, None]
    assert of_prompt.any() and torch.equal(heard[of_prompt], clean[of_prompt])
    assert not heard[~of_prompt].any() and clean[~of_prompt].any()


def test_null_rows_are_as_many_as_told(build):
    task = build("tts")
    task.task = TTSTask(null=0.3, prompt_seconds=(0.05, 0.1))
    null = torch.cat([task.batch(step, 0, 1).null for step in range(60)]).float()
    assert null.mean() == pytest.approx(0.3, abs=0.12)


def test_a_batch_is_a_function_of_its_number(build):
    task, again = build("tts"), build("tts")
    for step in (0, 3, 11):
        one, other = task.batch(step, 0, 1), again.batch(step, 0, 1)
        assert all(torch.equal(value, getattr(other.rows, name)) for name, value in vars(one.rows).items())


def test_an_evaluation_repeats_itself(build):
    task = build("tts")
    scores = [task.evaluate(task.players, torch.Generator()).scalars for _ in range(2)]
    assert scores[0] == scores[1] and set(scores[0]) == {"unit", "unit_from_prompt", "stop", "duration"}


def test_the_loss_from_the_prompt_alone_is_that_of_a_target_whose_past_is_blank(build, monkeypatch):
    task = build("tts")
    for weight in task.model.head.parameters():
        weight.data.normal_(std=0.1, generator=torch.Generator().manual_seed(0))  # it begins as one that hears nothing
    read = []
    losses = task.model.losses
    monkeypatch.setattr(
        task.model, "losses", lambda rows, history, *rest: read.append((rows, history)) or losses(rows, history, *rest)
    )
    scores = task.evaluate(task.players, torch.Generator()).scalars
    assert scores["unit_from_prompt"] != scores["unit"]
    for (rows, whole), (_, blank) in zip(read[::2], read[1::2], strict=True):
        heard = torch.arange(whole.shape[1]) < rows.prompt_steps[:, None]
        assert torch.equal(blank[heard], whole[heard]) and not blank[~heard].any() and whole[~heard].any()


def test_utterances_that_are_too_long_are_left_out_and_must_not_be_all(build):
    task = build("tts")
    seconds = sorted(one.seconds for one in task.train.units)
    arguments = task.model, TTSTask(longest_seconds=seconds[3]), build("units"), build("units"), task.codec
    assert len(type(task)(*arguments).train.units) == sum(s <= seconds[3] for s in seconds)
    arguments = task.model, TTSTask(longest_seconds=0.001), build("units"), build("units"), task.codec
    with pytest.raises(UserError, match="data.train: no utterance within task.longest_seconds = 0.001"):
        type(task)(*arguments)


def test_a_model_that_goes_on_from_another_keeps_its_symbols_and_whitening(build):
    first = build("tts").model
    some = [replace(one, latents=2 * one.latents) for one in build("units")]
    going_on = build_tts(first.config, some, first)
    assert going_on.config == first.config
    latents = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(going_on.whitening(latents), first.whitening(latents))
    assert not torch.allclose(build_tts(first.config, some).whitening(latents), first.whitening(latents))
    foreign = replace(some[0], language="fr")
    with pytest.raises(UserError, match="initial: that model lacks languages of the corpus: fr"):
        build_tts(first.config, [*some, foreign], first)
