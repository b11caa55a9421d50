"""Lines that share steps: each says what it says alone, whoever joins or leaves meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

import speechgen
from speechgen.models.lines import Drawing, advance
from speechgen.models.speak import begin, speak
from speechgen.models.voice import Voice
from speechgen.serving import batcher as batching
from speechgen.serving.batcher import Batcher
from speechgen.serving.synthesiser import Synthesiser

DRAWINGS = [Drawing(steps=2), Drawing(steps=2), Drawing(steps=1, guidance=1.0), Drawing(steps=3, temperature=0.3)]
SYMBOLS = [list("ðə leɪzi dɒɡ"), list("dʒɔɪ"), list("ə kwɪk fɒks dʒʌmps"), list("ðə dɒɡ")]


@pytest.fixture(scope="module", params=["tts", "tts-codes", "tts-attention"])
def synth(request: pytest.FixtureRequest, tiny_models: Path) -> Synthesiser:
    return speechgen.load(str(tiny_models / request.param))


def lines_of(synth: Synthesiser) -> list[tuple]:
    """Arguments of ``speak`` but for the generator: lines of unequal length, some with voices, drawn unlike."""
    width = synth.codec.config.width
    units = [torch.randn(9 + n, width, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    voices = [synth._fitted(Voice(u, torch.full((len(u),), -1), "en", synth.codec_fingerprint)) for u in units]
    return list(zip(SYMBOLS, ["en", "de", "en", "en"], [*voices, None], DRAWINGS, strict=True))


def alone(synth: Synthesiser, line: tuple, seed: int, most: int = 40) -> Tensor:
    drawn = speak(synth.tts, *line, torch.Generator().manual_seed(seed))
    return torch.cat([units for units, _ in zip(drawn, range(most))], 1)


def check(made: Tensor, expected: Tensor) -> None:
    assert made.shape == expected.shape
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-3)


def test_lines_join_and_leave_between_steps(synth: Synthesiser) -> None:
    wanted = lines_of(synth)
    started = {n: begin(synth.tts, *line, torch.Generator().manual_seed(n)) for n, line in enumerate(wanted)}
    made: dict[int, list[Tensor]] = {n: [] for n in started}
    for step in range(40):
        # Number n joins at step 3 n; number 1 leaves at step 8, whether it has ended or not.
        active = [n for n, line in started.items() if step >= 3 * n and not line.done and not (n == 1 and step >= 8)]
        for n, units in zip(active, advance(synth.tts, [started[n] for n in active])) if active else []:
            made[n] += [] if units is None else [units]
    for n, line in enumerate(wanted):
        expected = alone(synth, line, seed=n)
        together = torch.cat(made[n], 1)
        assert together.shape[1] >= 3
        check(together, expected[:, : together.shape[1]])


def test_sessions_through_a_batcher_say_what_they_say_alone(synth: Synthesiser) -> None:
    wanted = lines_of(synth)
    with Batcher(synth.tts) as batcher, ThreadPoolExecutor(len(wanted)) as pool:
        together = threading.Barrier(len(wanted))

        def say(number: int) -> Tensor:
            together.wait()
            drawn = batcher.draw(begin(synth.tts, *wanted[number], torch.Generator().manual_seed(number)))
            return torch.cat([units for units, _ in zip(drawn, range(40))], 1)

        made = list(pool.map(say, range(len(wanted))))
        assert batcher.most_lines > 1 and not batcher._lines
    for number, units in enumerate(made):
        check(units, alone(synth, wanted[number], seed=number))


def test_a_reader_that_lags_is_waited_for_by_nobody(synth: Synthesiser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "AHEAD", 2)
    slow, quick = lines_of(synth)[0], lines_of(synth)[3]
    with Batcher(synth.tts) as batcher:
        lagging = batcher.draw(begin(synth.tts, *slow, torch.Generator().manual_seed(0)))
        first = next(lagging)
        check(
            torch.cat(
                [
                    u
                    for u, _ in zip(batcher.draw(begin(synth.tts, *quick, torch.Generator().manual_seed(3))), range(40))
                ],
                1,
            ),
            alone(synth, quick, 3),
        )
        rest = [units for units, _ in zip(lagging, range(39))]
        check(torch.cat([first, *rest], 1), alone(synth, slow, 0))


def test_a_step_that_fails_is_told_to_its_readers_and_to_nobody_else(
    synth: Synthesiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = lines_of(synth)[3]

    def failing(*_: object) -> None:
        raise ValueError("no")

    with Batcher(synth.tts) as batcher:
        with monkeypatch.context() as broken:
            broken.setattr(batching, "advance", failing)
            with pytest.raises(RuntimeError, match="a step of the model failed"):
                next(batcher.draw(begin(synth.tts, *line, torch.Generator())))
        assert next(batcher.draw(begin(synth.tts, *line, torch.Generator()))).isfinite().all()


def test_a_closed_batcher_says_so(synth: Synthesiser) -> None:
    with Batcher(synth.tts) as batcher:
        drawn = batcher.draw(begin(synth.tts, *lines_of(synth)[0], torch.Generator()))
        next(drawn)
    with pytest.raises(RuntimeError, match="closed"):
        list(drawn)
