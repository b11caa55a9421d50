"""WaveNet: the three ways of generating make the same samples; conditions; losses; what is refused."""

import math

import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.kernels.build import compiler
from speechgen.models.load import load, save_model
from speechgen.models.wavenet import WaveNet, WaveNetConfig, build_wavenet
from speechgen.models.wavenet_generate import bits_per_sample, condition_of, generate, make_engine

SIZES = {"layers": 6, "cycle": 3, "residual": 20, "skip": 12, "hidden": 24, "condition": 8}
LABELS = {"labels": {"pitch": ["a1", "a2"], "speaker": ["x", "y", "z"]}}
MEL = {"mel": {"bands": 6, "hop": 25, "window": 100}}
VARIANTS = {
    "unconditional": {},
    "labels": LABELS,
    "mel": MEL,
    "labels and clock": LABELS | {"clock": 40},
    "logistics, labels and mel": LABELS | MEL | {"head": "logistics", "mixtures": 3},
}
needs_compiler = pytest.mark.skipif(compiler() is None, reason="the C++ kernel needs a compiler")
NATIVE = [pytest.param(name, marks=needs_compiler) for name in ("compiled-f32", "compiled-bf16", "compiled-int8")]


def tiny(**values) -> WaveNet:
    torch.manual_seed(0)
    model = build_wavenet(make_config(WaveNetConfig, SIZES | values)).eval().requires_grad_(False)
    for weight in model.head.parameters():
        weight *= 4  # a fresh head hardly cares what it heard
    return model


def sound(seconds: float = 0.05) -> torch.Tensor:
    time = torch.arange(round(seconds * 16000)) / 16000
    return 0.5 * torch.sin(2 * math.pi * 300 * time) * torch.exp(-20 * time)


def told(model: WaveNet, samples: int) -> dict:
    labels = {"pitch": "a2", "speaker": "z"} if model.config.labels else None
    mel = model.mel_of(sound(1)[None, :samples])[0] if model.config.mel else None
    return {"labels": labels, "mel": mel}


def made(model: WaveNet, samples: int = 130, **options) -> torch.Tensor:
    return torch.cat(list(generate(model, samples, **told(model, samples), **options)), dim=1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("method", ["naive", "compiled-f32-numba", NATIVE[0]])
def test_all_ways_make_the_same_samples(variant: str, method: str) -> None:
    model = tiny(**VARIANTS[variant])
    cached = made(model, method="cached", streams=3, seed=5)
    assert cached.unique().numel() > 20
    assert torch.equal(made(model, method=method, streams=3, seed=5), cached)


@pytest.mark.parametrize("method", ["naive", "cached", "compiled-f32-numba", *NATIVE])
def test_streamed_is_at_once_and_batched_is_single(method: str) -> None:
    model = tiny(**VARIANTS["logistics, labels and mel"])
    at_once = made(model, 60, method=method, streams=5, chunk=60)
    assert torch.equal(made(model, 60, method=method, streams=5, chunk=7), at_once)
    assert torch.equal(made(model, 60, method=method, seed=2), at_once[2:3])
    assert not torch.equal(at_once[0], at_once[1])


@pytest.mark.parametrize("method", ["naive", "cached", "compiled-f32-numba", *NATIVE])
@pytest.mark.parametrize("variant", ["mel", "labels and clock", "logistics, labels and mel"])
def test_forced_parameters_are_those_of_training(method: str, variant: str) -> None:
    model = tiny(**VARIANTS[variant])
    codes = model.tokenizer.encode(torch.stack([sound(), -sound()])[:, :90])
    condition = condition_of(model, **told(model, 90), streams=2, samples=90)
    reference = model.head.logits(model(codes, condition))[:, :, 0]
    engine = make_engine(model, condition, 2, method)
    found = torch.cat([engine.force(part) for part in codes.split(40, dim=1)], dim=1)
    tolerance = {"compiled-bf16": 0.05, "compiled-int8": 0.2}.get(method, 1e-4)
    torch.testing.assert_close(found, reference, atol=tolerance, rtol=0)


@pytest.mark.parametrize("method", NATIVE[1:])
def test_rounded_weights_predict_as_well(method: str) -> None:
    """Bits per sample within 1 % of float32, here on the model's own sound."""
    model = tiny()
    wave = made(model, 4000, method="compiled-f32", streams=2)
    exact = bits_per_sample(model, wave, method="compiled-f32")
    loss, facts = model.losses(wave)
    assert facts["bits_per_sample"] == pytest.approx(loss.item() / math.log(2))
    assert exact == pytest.approx(facts["bits_per_sample"], abs=1e-4)
    assert bits_per_sample(model, wave, method=method) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("method", ["cached", "compiled-f32-numba", *NATIVE[:1]])
@pytest.mark.parametrize("variant", ["unconditional", "logistics, labels and mel"])
def test_temperature(method: str, variant: str) -> None:
    model = tiny(**VARIANTS[variant])
    cold = made(model, method=method, temperature=0, seed=1)
    assert torch.equal(cold, made(model, method=method, temperature=0, seed=2))
    assert torch.equal(cold, made(model, method="naive", temperature=0))
    lukewarm = made(model, method=method, temperature=0.5)
    assert torch.equal(lukewarm, made(model, method="naive", temperature=0.5))
    assert not torch.equal(lukewarm, made(model, method=method, temperature=1.0))


def test_conditions_matter_and_unknown_labels_are_nothing() -> None:
    model = tiny(**LABELS)
    codes = model.tokenizer.encode(sound()[None])
    heard = [model(codes, model.condition(model.label_ids({"pitch": pitch}))) for pitch in ("a1", "a2")]
    assert not torch.allclose(*heard)
    unknown = {"pitch": torch.tensor([-1])}
    torch.testing.assert_close(model(codes, model.condition(unknown)), model(codes))
    vocoder = tiny(**MEL)
    loss, _ = vocoder.losses(sound()[None])
    torch.testing.assert_close(loss, vocoder.losses(sound()[None], mel=vocoder.mel_of(sound()[None]))[0])
    assert loss != vocoder.losses(sound()[None], mel=vocoder.mel_of(-0.1 * sound()[None]))[0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_weight_learns(variant: str) -> None:
    model = tiny(**VARIANTS[variant]).train().requires_grad_(True)
    ids = {kind: torch.tensor([0]) for kind in model.config.labels}
    loss, _ = model.losses(sound()[None], ids)
    loss.backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


@pytest.mark.parametrize("head", ["categorical", "logistics"])
def test_it_learns_a_tone(head: str) -> None:
    torch.manual_seed(0)
    model = tiny(head=head, classes=64).train().requires_grad_(True)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    wave = sound()[None]
    first = model.losses(wave)[1]["bits_per_sample"]
    for _ in range(60):
        loss, facts = model.losses(wave)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert facts["bits_per_sample"] < 0.6 * first


def test_a_sample_depends_on_its_receptive_field_only() -> None:
    model = tiny()
    field = model.receptive_field
    codes = torch.randint(256, (1, field + 2), generator=torch.Generator().manual_seed(0))
    z = model(codes)[:, -1]
    for place, seen in ((-1, False), (-2, True), (-1 - field, True), (-2 - field, False)):
        changed = codes.clone()
        changed[0, place] = (codes[0, place] + 100) % 256
        assert torch.equal(model(changed)[:, -1], z) is not seen


def test_saved_and_loaded(tmp_path) -> None:
    model = tiny(**LABELS)
    save_model(tmp_path / "m", model.config, model, "# card\n")
    again = load(tmp_path / "m")
    assert isinstance(again, WaveNet)
    assert torch.equal(made(again, 20), made(model, 20))
    other = make_config(WaveNetConfig, SIZES | LABELS | {"residual": 32})
    save_model(tmp_path / "m", other, model, "# card\n")
    with pytest.raises(UserError, match="the config asks for"):
        load(tmp_path / "m")


def test_mistakes_are_named() -> None:
    model, vocoder = tiny(**LABELS), tiny(**MEL)
    mel = vocoder.mel_of(sound()[None])
    cases = [
        (model, {"samples": 0}, "0 samples: ask for at least one"),
        (model, {"samples": -5}, "ask for at least one"),
        (model, {"samples": 10**9}, "at most 3600 s"),
        (model, {"streams": 0}, "0 streams"),
        (model, {"temperature": -1.0}, "temperature -1"),
        (model, {"temperature": math.nan}, "temperature nan"),
        (model, {"labels": {"pitch": "a9"}}, "pitch a9: not one of a1, a2"),
        (model, {"labels": {"pich": "a1"}}, "did you mean 'pitch'"),
        (model, {"method": "cashed"}, "did you mean 'cached'"),
        (model, {"mel": mel}, "takes no mel"),
        (vocoder, {}, "needs a mel"),
        (vocoder, {"mel": mel * math.nan}, "NaN"),
        (vocoder, {"mel": mel[:, :5]}, "expected"),
        (vocoder, {"mel": mel, "samples": 16000}, "shorter than the 1.00 s"),
        (vocoder, {"mel": mel.expand(2, -1, -1), "streams": 3}, "conditions for 2 streams"),
    ]
    for asked, options, sentence in cases:
        with pytest.raises(UserError, match=sentence) as caught:
            generate(asked, **{"samples": 100, **options})
        assert "\n" not in str(caught.value)
