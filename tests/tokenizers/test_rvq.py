"""Residual vector quantisation: codes and their meaning, k-means, revival, dropout."""

import pytest
import torch

from speechgen.tokenizers.rvq import ResidualVectorQuantizer, RVQConfig

WIDTH = 6


def build(**changes) -> ResidualVectorQuantizer:
    values = {"codebooks": 4, "codebook_size": 16, "code_width": 4, "dropout": 0.0, "continuous": 0.0, "start_step": 0}
    torch.manual_seed(0)
    return ResidualVectorQuantizer(WIDTH, RVQConfig(**{**values, **changes}))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def clusters(batch: int = 8, steps: int = 50, count: int = 12, seed: int = 0) -> torch.Tensor:
    """Latents (B, C, T) in a few tight clusters: data for which half of 16 random codes would be dead."""
    draw = torch.Generator().manual_seed(seed)
    centres = 3 * noise(count, WIDTH, seed=99)
    picks = torch.randint(count, (batch, steps), generator=draw)
    return (centres[picks] + 0.05 * torch.randn(batch, steps, WIDTH, generator=draw)).transpose(1, 2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def test_codes_are_what_was_quantised():
    quantizer = build().train()
    latents = noise(3, WIDTH, 10)
    quantized = quantizer(latents, generator())
    assert quantized.codes.shape == (3, 4, 10) and quantized.values.shape == latents.shape
    codes = quantizer.encode(latents)
    assert torch.equal(codes, quantized.codes)
    torch.testing.assert_close(quantizer.decode(codes), quantized.values, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_first_codebooks_alone():
    quantizer = build()
    quantizer(noise(8, WIDTH, 40), generator())
    latents = noise(2, WIDTH, 10, seed=1)
    codes = quantizer.encode(latents)
    for count in (1, 2, 3, 4):
        fewer = quantizer.encode(latents, count)
        assert torch.equal(fewer, codes[:, :count])
        parts = [quantizer.levels[k].lookup(codes[:, k]).transpose(1, 2) for k in range(count)]
        torch.testing.assert_close(quantizer.decode(fewer), sum(parts))


@torch.no_grad()
def test_the_nearest_code_is_by_direction():
    codebook = build().levels[0]
    projected = noise(20, 4, seed=2)
    nearest = codebook.nearest(projected)
    cosine = torch.nn.functional.cosine_similarity(projected[:, None], codebook.codes[None], dim=-1)
    assert torch.equal(nearest, cosine.argmax(1))
    assert torch.equal(codebook.nearest(7 * projected), nearest)


@torch.no_grad()
def test_k_means_brings_codes_to_the_data():
    codebook = build().levels[0]
    centres = torch.nn.functional.normalize(noise(4, 4, seed=3), dim=-1)
    data = centres.repeat(120, 1) + 0.01 * noise(480, 4, seed=4)

    def distance() -> float:
        chosen = codebook.codes[codebook.nearest(data)]
        return float(1 - torch.nn.functional.cosine_similarity(chosen, data).mean())

    before = distance()
    codebook.start(data, generator())
    assert distance() < 0.01 < before


def test_before_its_start_it_passes_noisy_latents_on():
    quantizer = build(start_step=3, noise=0.1)
    latents = noise(4, WIDTH, 50)
    for step in range(3):
        quantized = quantizer(latents, generator(step))
        assert quantized.codes is None and quantized.losses == {} and quantized.facts == {}
        deviation = (quantized.values - latents).std()
        assert deviation.item() == pytest.approx(0.1, rel=0.15)
    quantized = quantizer(latents, generator())
    assert quantized.codes is not None and {"codebook", "commitment", "tie"} == quantized.losses.keys()


def train(quantizer: ResidualVectorQuantizer, steps: int) -> dict[str, float]:
    """Facts after so many steps on clusters, the codes following their loss."""
    optimiser = torch.optim.Adam(quantizer.parameters(), lr=1e-3)
    draws = generator()
    for step in range(steps):
        quantized = quantizer(clusters(seed=step), draws)
        optimiser.zero_grad()
        sum(quantized.losses.values()).backward()
        optimiser.step()
    return quantized.facts


def test_revival_keeps_codes_alive():
    """Started on three clusters of twelve, codes must move to where data appears later."""
    facts = {}
    for name, revive_every in (("revived", 5), ("left alone", 10_000)):
        quantizer = build(codebooks=2, revive_every=revive_every, start_step=0)
        with torch.no_grad():
            quantizer(clusters(count=1, seed=5), generator())  # k-means on one cluster
        facts[name] = train(quantizer, 150)
    assert facts["revived"]["codes_in_use"] > 0.7
    assert facts["revived"]["codes_in_use"] > facts["left alone"]["codes_in_use"]
    assert facts["revived"]["perplexity"] > facts["left alone"]["perplexity"]


@pytest.mark.parametrize("frozen", [True, False])
@torch.no_grad()
def test_dead_codes_are_replaced_unless_they_are_frozen(frozen):
    quantizer = build(revive_every=1)
    quantizer(clusters(), generator())
    quantizer.requires_grad_(not frozen)
    quantizer.usage[:, 5:] = 0
    before = [level.codes.clone() for level in quantizer.levels]
    quantizer(clusters(seed=1), generator())
    for level, codes in zip(quantizer.levels, before):
        assert torch.equal(level.codes[:5], codes[:5])
        assert torch.equal(level.codes[5:], codes[5:]) == frozen


@torch.no_grad()
def test_facts_tell_of_collapse():
    quantizer = build(revive_every=10_000)
    fresh = quantizer.facts()
    assert fresh["perplexity"] == pytest.approx(16) and fresh["codes_in_use"] == 1
    one = noise(1, WIDTH, 1).expand(4, WIDTH, 50)
    for _ in range(400):
        facts = quantizer(one, generator()).facts
    assert facts["perplexity"] < 1.1 and facts["codes_in_use"] == pytest.approx(1 / 16)


@torch.no_grad()
def test_dropout_keeps_the_first_codebooks_of_some_examples():
    quantizer = build(dropout=0.5)
    latents = noise(200, WIDTH, 4)
    quantized = quantizer(latents, generator())
    codes = quantized.codes
    kept = []
    for row in range(200):
        sums = [quantizer.decode(codes[row : row + 1, :count]) for count in (1, 2, 3, 4)]
        match = [n for n, s in zip((1, 2, 3, 4), sums) if torch.allclose(s, quantized.values[row], atol=1e-5)]
        assert match
        kept.append(match[0])
    share = [kept.count(count) / 200 for count in (1, 2, 3, 4)]
    assert share[3] == pytest.approx(0.5 + 0.5 / 4, abs=0.12)
    assert all(part == pytest.approx(0.125, abs=0.09) for part in share[:3])


@torch.no_grad()
def test_some_examples_pass_unquantised_with_noise():
    quantizer = build(continuous=0.5, noise=0.01)
    latents = noise(200, WIDTH, 4)
    values = quantizer(latents, generator()).values
    near = (values - latents).abs().amax((1, 2)) < 0.1
    assert near.float().mean() == pytest.approx(0.5, abs=0.12)


def test_gradients_pass_straight_through_and_losses_keep_to_their_side():
    quantizer = build()
    latents = noise(4, WIDTH, 10).requires_grad_()
    quantized = quantizer(latents, generator())
    quantized.values.sum().backward(retain_graph=True)
    assert latents.grad.abs().sum() > 0
    assert quantizer.levels[0].codes.grad is None or not quantizer.levels[0].codes.grad.any()
    latents.grad = None
    quantized.losses["codebook"].backward(retain_graph=True)
    assert latents.grad is None and quantizer.levels[0].codes.grad.any()
    quantizer.zero_grad(set_to_none=True)
    quantized.losses["commitment"].backward(retain_graph=True)
    assert latents.grad.any() and quantizer.levels[0].codes.grad is None
    latents.grad = None
    quantized.losses["tie"].backward()
    assert latents.grad.any()


def test_the_same_draws_give_the_same_codes():
    one, other = (build(dropout=0.5, continuous=0.3, noise=0.1) for _ in range(2))
    for step in range(6):
        a, b = (quantizer(clusters(seed=step), generator(step)) for quantizer in (one, other))
        assert torch.equal(a.values, b.values) and torch.equal(a.codes, b.codes)


@torch.no_grad()
def test_quantising_stays_in_float32_under_autocast():
    quantizer = build()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        quantized = quantizer(noise(2, WIDTH, 10).bfloat16(), generator())
    assert quantized.values.dtype == torch.float32
