"""Chunks that came out wrong are told and tried again."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.models.lines import Drawing
from speechgen.serving.clone import report
from speechgen.serving.guard import Guard, Verdict
from speechgen.serving.synthesiser import Synthesiser

QUICK = Drawing(steps=1, guidance=1.0)
TEXT = "The quick brown fox jumps over the very lazy dog. " * 3


class Scripted(Guard):
    """A guard whose verdicts are given: for each check, the number of faults."""

    def __init__(self, synth: Synthesiser, faults: list[int], retries: int = 2):
        super().__init__(synth.listener, synth.sample_rate, retries)
        self.faults, self.heard = iter(faults), []

    def check(self, wave: Tensor, symbols: list[str], speed: float = 1.0) -> Verdict:
        self.heard.append(wave)
        return Verdict(["fault"] * next(self.faults), 0.0)


def test_a_guard_that_finds_nothing_changes_nothing(synth: Synthesiser) -> None:
    plain = synth.say(TEXT, drawing=QUICK, seed=3)
    guard = Scripted(synth, [0] * 10)
    guarded = synth.say(TEXT, drawing=QUICK, seed=3, guard=guard)
    assert torch.equal(plain.wave, guarded.wave) and plain.takes[0].spans == guarded.takes[0].spans
    assert plain.takes[0].checks == [] and len(guarded.takes[0].checks) == len(guard.heard) == 3
    assert all(check.tries == 1 and check.verdict == "passed" for check in guarded.takes[0].checks)
    assert sum(check.seconds for check in guarded.takes[0].checks) < guarded.seconds


def test_a_rejected_chunk_is_tried_again_and_the_others_are_not(synth: Synthesiser) -> None:
    guard = Scripted(synth, [0, 1, 0, 0])
    spoken = synth.say(TEXT, drawing=QUICK, guard=guard)
    checks = spoken.takes[0].checks
    assert [check.tries for check in checks] == [1, 2, 1] and all(check.verdict == "passed" for check in checks)
    assert checks[1].first_reasons == ["fault"] and checks[1].reasons == []
    assert not torch.equal(guard.heard[1], guard.heard[2][: len(guard.heard[1])])
    # The third chunk is drawn as if the second had passed at once; only the loudness goes on from what was kept.
    straight = Scripted(synth, [0, 0, 0])
    synth.say(TEXT, drawing=QUICK, guard=straight)
    assert torch.nn.functional.cosine_similarity(guard.heard[3], straight.heard[2], 0) > 0.99
    again = synth.say(TEXT, drawing=QUICK, guard=Scripted(synth, [0, 1, 0, 0]))
    assert torch.equal(again.wave, spoken.wave)


def test_tries_are_bounded_and_the_best_is_kept(synth: Synthesiser) -> None:
    guard = Scripted(synth, [3, 1, 2], retries=2)
    spoken = synth.say("The dog.", drawing=QUICK, guard=guard, watermark=False)
    (check,) = spoken.takes[0].checks
    assert check.tries == 3 and check.verdict == "failed" and len(check.reasons) == 1 and len(check.first_reasons) == 3
    assert torch.equal(spoken.wave, guard.heard[1])
    assert synth.say("The dog.", drawing=QUICK, guard=Scripted(synth, [1], retries=0)).takes[0].checks[0].tries == 1
    assert str(check).startswith("failed after 3 tries (fault): 'The dog.'")
    assert "| 1 | The dog. |" in report(spoken, []) and "❌ failed (fault)" in report(spoken, [])


def test_silence_gaps_and_lengths_need_no_listener(synth: Synthesiser) -> None:
    guard = Guard(synth.listener, 16000, phonemes=False)
    tone = 0.3 * torch.sin(torch.arange(16000) * 0.3)
    symbols = list(" abcdefgh ")
    assert guard.check(tone, symbols).passed
    assert guard.check(0 * tone, symbols).reasons == ["silent"] == guard.check(torch.zeros(0), symbols).reasons
    assert "too short" in guard.check(tone[:3000], symbols).reasons[0]
    assert "too long" in guard.check(tone.repeat(4), symbols).reasons[0]
    gap = guard.check(torch.cat([tone[:8000], 0 * tone, tone[:8000]]), symbols)
    assert gap.reasons == ["a gap of 1.0 s"]
    assert guard.check(tone.repeat(4), symbols, speed=0.5).reasons == guard.check(tone.repeat(2), symbols).reasons == []


@pytest.mark.parametrize("kind", ["tts", "tts-codes", "tts-attention"])
def test_every_kind_of_model_is_guarded(kind: str, tiny_models: Path) -> None:
    synth = Synthesiser.load(tiny_models / kind)
    spoken = synth.say("The lazy dog.", drawing=QUICK, guard=synth.guard(retries=1))
    assert len(spoken.takes[0].checks) == 1


def test_retries_cannot_be_negative(synth: Synthesiser) -> None:
    with pytest.raises(UserError, match="at least 0"):
        synth.guard(-1)


def test_emoji_are_told(synth: Synthesiser) -> None:
    assert any("😀" in warning for warning in synth.say("The dog 😀.", drawing=QUICK).warnings)
