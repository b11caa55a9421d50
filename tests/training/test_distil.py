"""A flow teaches a one-step student: its pairs are its own draws, and the student needs one pass for many."""

import torch

from speechgen.models.lines import Drawing
from speechgen.models.speak import speak
from speechgen.training.loop import train


def test_couples_are_what_the_flow_draws_with_guidance(build):
    task = build("one-step")
    teacher, batch = task.teacher, task.batch(0, 0, 1)
    assert not batch.null.any()  # guidance becomes part of the student, which meets no untold rows
    noise, units = teacher.couples(batch.rows, batch.null, torch.Generator().manual_seed(3))
    model, rows = teacher.model, batch.rows
    with torch.no_grad():
        history = model.embed(rows.values)
        (z, _, mask), (z_null, *_) = (
            model.hidden(rows, history, torch.full_like(batch.null, n)) for n in (False, True)
        )
        for row in range(len(rows.values)):
            length = int(rows.steps[row])
            drawn = model.head.sample(z[row, :length], z_null[row, :length], 1.5, steps=3, noise=noise[row, :length])
            torch.testing.assert_close(units[row, :length], drawn)
            assert not units[row, length:].any() and mask[row].sum() == length


def test_a_student_comes_closer_to_its_teacher(build, config, tmp_path, left_behind):
    train(build("one-step"), config(60, log_every=10, learning_rate=1e-2, evaluate_every=60), tmp_path)
    losses = [value for _, value in left_behind(tmp_path)[1]["tts/unit"]]
    assert losses[-1] < 0.7 * losses[0]


def test_guidance_is_in_the_weights(build, monkeypatch):
    model = build("one-step").model.eval()
    rows, passes = [], []
    step, sample = model.transformer.step, model.head.sample
    monkeypatch.setattr(model.transformer, "step", lambda x, state: (rows.append(len(x)), step(x, state))[1])
    monkeypatch.setattr(model.head, "sample", lambda *a, **k: (passes.append(a), sample(*a, **k))[1])
    asked = (model, [" ", "a", "b", " "], "en", None)
    plain, guided = (
        torch.cat(list(speak(*asked, Drawing(guidance=guidance), torch.Generator().manual_seed(0))), dim=1)
        for guidance in (1.0, 1.5)
    )
    assert plain.equal(guided) and set(rows) == {1}
    assert all(null is None for _, null, *_ in passes)
