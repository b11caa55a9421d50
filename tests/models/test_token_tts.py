"""The token TTS in training: losses of every triple, padding, null rows, and what is refused."""

import numpy as np
import pytest
import torch

from speechgen.errors import UserError
from speechgen.models.arrange import make_rows
from speechgen.models.rows import Rows, Segment
from speechgen.models.tts import TokenTTS

TRIPLES = ["latents, given", "latents, attention", "codes, delay", "codes, depth"]


def segment(model: TokenTTS, durations: list[int], seed: int) -> Segment:
    draw = torch.Generator().manual_seed(seed)
    codes = model.config.unit == "codes"
    shape = (sum(durations), 3 if codes else 6)
    units = torch.randint(8, shape, generator=draw) if codes else torch.randn(shape, generator=draw)
    return Segment(units, np.arange(1, 1 + len(durations)), np.array(durations))


def some_rows(model: TokenTTS) -> Rows:
    pairs = [
        (segment(model, [3, 1], 1), segment(model, [2, 2, 4], 2)),
        (None, segment(model, [1, 1], 3)),
        (segment(model, [4, 4], 4).unknown(), segment(model, [2, 4], 5)),
    ]
    return make_rows(model, pairs, ["en", "de", "en"])


def losses(model: TokenTTS, rows: Rows, null=(False, False, False), prompt_weight=0.5, seed=0) -> dict:
    history = model.embed(rows.values)
    draws = torch.Generator().manual_seed(seed)
    return model.losses(rows, history, torch.tensor(null[: len(rows.steps)]), prompt_weight, draws)


@pytest.mark.parametrize("triple", TRIPLES)
def test_every_loss_is_finite_and_reaches_its_parameters(triple, make_tts):
    model = make_tts(triple).train()
    made = losses(model, some_rows(model), null=(False, True, False))
    aligned = model.config.alignment == "given"
    assert made.keys() == {"unit", "stop", *(["duration"] if aligned else [])}
    assert all(loss.isfinite() for loss in made.values()) and made["unit"] > 0 and made["stop"] > 0
    sum(made.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if name != "voice.attention.bias":  # a shift of all logits of a softmax changes nothing
            assert parameter.grad.any(), name


@pytest.mark.parametrize("triple", TRIPLES)
@torch.no_grad()
def test_padding_changes_nothing(triple, make_tts):
    """The transformer's output at real steps is the same alone and beside a longer row."""
    model = make_tts(triple)
    short, long = segment(model, [2, 2], 1), segment(model, [6, 2, 8], 2)
    together = make_rows(model, [(short, short), (long, long)], ["en", "de"])
    alone = make_rows(model, [(short, short)], ["en"])
    steps = int(alone.steps[0])
    torch.testing.assert_close(outputs(model, together)[0, :steps], outputs(model, alone)[0], atol=1e-5, rtol=1e-4)


def outputs(model: TokenTTS, rows: Rows) -> torch.Tensor:
    clean = model.embed(rows.values)
    null = torch.zeros(len(rows.steps), dtype=torch.bool)
    told, memory = model.text(rows, null)
    mask = torch.arange(rows.values.shape[1])[None] < rows.steps[:, None]
    x = model.inputs(clean, told, rows, model.voice_vector(clean, rows.prompt_steps), null)
    return model.transformer(x, mask, memory, rows.symbol_mask if memory is not None else None)


@pytest.mark.parametrize("triple", TRIPLES)
@torch.no_grad()
def test_a_step_sees_no_unit_of_its_own_or_later(triple, make_tts):
    model = make_tts(triple)
    rows = make_rows(model, [(segment(model, [2, 2], 1), segment(model, [4, 4], 2))], ["en"])
    before = outputs(model, rows)
    step = int(rows.prompt_steps[0]) + 2
    other = rows.values[:, step] + 1
    rows.values[:, step] = other % 8 if model.config.unit == "codes" else other
    after = outputs(model, rows)
    torch.testing.assert_close(before[:, : step + 1], after[:, : step + 1], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(before[:, step + 1], after[:, step + 1], atol=1e-4)


@torch.no_grad()
def test_a_null_row_hears_neither_text_nor_voice(make_tts):
    for triple in TRIPLES:
        model = make_tts(triple)
        prompt, target = segment(model, [2, 2], 1), segment(model, [4, 4], 2)
        other = Segment(target.units, target.symbols[::-1] + 3, target.durations)
        told = [losses(model, make_rows(model, [(prompt, t)], ["en"]), (False,))["unit"] for t in (target, other)]
        null = [losses(model, make_rows(model, [(prompt, t)], ["en"]), (True,))["unit"] for t in (target, other)]
        assert told[0] != told[1], triple
        assert null[0] == null[1] != told[0], triple
        voices = [make_rows(model, [(segment(model, [2, 2], seed), target)], ["en"]) for seed in (1, 3)]
        told, null = ([losses(model, rows, (flag,))["unit"] for rows in voices] for flag in (False, True))
        assert null[0] == null[1] and told[0] != told[1], triple


@torch.no_grad()
def test_the_prompt_counts_where_its_transcript_is_known(make_tts):
    model = make_tts()
    known = make_rows(model, [(segment(model, [3, 1], 1), segment(model, [2, 2, 4], 2))], ["en"])
    hidden = make_rows(model, [(segment(model, [4, 4], 4).unknown(), segment(model, [2, 4], 5))], ["en"])
    for rows, counts in ((known, True), (hidden, False)):
        light, heavy = (losses(model, rows, prompt_weight=weight)["unit"] for weight in (0.0, 0.9))
        assert (light != heavy) == counts


@torch.no_grad()
def test_stop_is_asked_for_where_the_last_frame_begins(make_tts):
    """Only one step of each target is told to stop; where codes lag, it is the last frame's first step."""
    for triple, last in (("latents, given", 3), ("codes, delay", 7)):
        model = make_tts(triple)
        rows = make_rows(model, [(None, segment(model, [4, 4], 2))], ["en"])
        z = outputs(model, rows)[0]
        costs = torch.nn.functional.softplus(model.stop(z)[:, 0])
        costs[last] -= model.stop(z)[last, 0]
        expected = model.config.stop_weight * costs[: last + 1].mean()
        torch.testing.assert_close(losses(model, rows)["stop"], expected)


def test_a_voice_is_pooled_over_the_prompt_only(make_tts):
    model = make_tts()
    embedded = torch.randn(3, 8, 32, generator=torch.Generator().manual_seed(0))
    steps = torch.tensor([4, 8, 0])
    voices = model.voice_vector(embedded, steps)
    changed = embedded.clone()
    changed[0, 4:] += 1
    changed[2] += 1
    torch.testing.assert_close(model.voice_vector(changed, steps), voices, atol=1e-5, rtol=1e-4)
    assert torch.equal(voices[2], model.no_voice)
    alone = model.voice_vector(embedded[:1, :4], steps[:1])
    torch.testing.assert_close(alone[0], voices[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("triple", "changes", "message"),
    [
        ("latents, given", {"order": {"kind": "delay"}}, "order: delay arranges codebooks, but the units are cont"),
        ("latents, given", {"head": {"kind": "categorical"}}, "head: categorical draws codes"),
        ("codes, delay", {"head": {"kind": "flow"}}, "head: flow draws continuous units"),
        ("codes, delay", {"order": {"kind": "raster"}}, "this needs the depth head or order: delay"),
        (
            "codes, delay",
            {"order": {"kind": "flat"}},
            "order: flat: this model goes from frame to frame; use raster or delay",
        ),
        ("codes, delay", {"order": {"kind": "delay", "delays": [0, 1]}}, "order.delays has 2 entries for 3"),
    ],
)
def test_triples_that_cannot_work_are_refused(triple, changes, message, make_tts):
    with pytest.raises(UserError, match=message):
        make_tts(triple, **changes)
