"""How far the shipped voice moves in other precisions, each step being shown what the reference drew before it."""

import pytest
import torch
from torch import Tensor

from speechgen.models.lines import Drawing
from speechgen.models.load import load
from speechgen.models.speak import speak
from speechgen.models.tts import TokenTTS
from speechgen.nn.packed import pack_linears

SAID = list("ðə bɔɪ wɒz ðɛɹ wɛn ðə sʌn ɹoʊz")
STEPS = 12
BOUNDS = {"f32": 1e-5, "bf16": 0.02, "int8": 0.06}  # relative error of whitened latents; docs/speaking.md says how near


@pytest.fixture(scope="module")
def heard() -> list[tuple[Tensor, Tensor]]:
    """What the reference model was fed at each step, and what its head drew from it with noise of the step's number."""
    model = load("starter-tts")
    fed, step = [], model.transformer.step

    def recording(x, state):
        fed.append(x.clone())
        return step(x, state)

    model.transformer.step = recording
    draws = torch.Generator().manual_seed(0)
    for _, _ in zip(speak(model, SAID, "en", None, Drawing(), draws), range(STEPS)):
        pass
    del model.transformer.step
    return list(zip(fed, drawn(model, fed), strict=True))


@torch.inference_mode()
def drawn(model: TokenTTS, fed: list[Tensor]) -> list[Tensor]:
    """The latents that the head draws when the transformer is fed so."""
    state, made = model.transformer.initial_state(2, sum(x.shape[1] for x in fed)), []
    for number, x in enumerate(fed):
        z, state = model.transformer.step(x, state)
        conditioned, null = z[:, -1].chunk(2)
        made.append(model.head.sample(conditioned, null, 1.5, 0.7, torch.Generator().manual_seed(number)))
    return made


@pytest.mark.parametrize("precision", BOUNDS)
def test_latents_move_little(precision: str, heard) -> None:
    model = load("starter-tts")
    pack_linears(model.transformer, precision)
    pack_linears(model.head, precision)
    fed, expected = zip(*heard, strict=True)
    made, expected = torch.cat(drawn(model, list(fed))), torch.cat(expected)
    error = ((made - expected).norm() / expected.norm()).item()
    print(f"{precision}: {error:.2e}")
    assert error <= BOUNDS[precision]
    if precision == "int8":
        assert error > 1e-4
