"""The entropy model: lossless, smaller, the same on every machine; damaged and foreign models are refused."""

import numpy as np
import pytest
import safetensors.numpy
import torch

from speechgen.errors import UserError
from speechgen.tokenizers.entropy import FILE, EntropyModel
from speechgen.tokenizers.sgc import SgcHeader, pack_sgc, unpack_sgc
from speechgen.training.entropy import EntropyNetwork, fit_entropy, quantise, savings


@pytest.mark.parametrize("codebooks", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 2, 57])
def test_codes_come_back(codebooks, frames, entropy_model, patterned_codes):
    codes = patterned_codes(frames, seed=1).numpy()[:codebooks]
    (back,) = entropy_model.decompress([entropy_model.compress(codes)], codebooks, [frames])
    assert (back == codes).all()


def test_blocks_side_by_side_are_each_alone(entropy_model, patterned_codes):
    blocks = [patterned_codes(frames, seed=frames).numpy() for frames in (31, 4, 57, 1)]
    streams = [entropy_model.compress(block) for block in blocks]
    back = entropy_model.decompress(streams, 3, [block.shape[1] for block in blocks])
    assert all((one == other).all() for one, other in zip(back, blocks, strict=True))


def test_what_is_predictable_is_short(entropy_model, patterned_codes):
    codes = patterned_codes(2000, seed=2).numpy()
    # 4 bits a code when packed; knowing the pattern, 0.72 + 0.2 * 4 = 1.5 and a little.
    bits = 8 * len(entropy_model.compress(codes)) / codes.size
    assert 1.4 < bits < 2.2


def test_a_file_of_codes_gets_smaller_and_one_of_noise_no_larger(entropy_model, patterned_codes):
    noise = torch.randint(16, (3, 500), generator=torch.Generator().manual_seed(0))
    for codes, most in ((patterned_codes(500), 0.6), (noise, 1.03)):
        header = SgcHeader(sample_rate=16000, hop=320, codebooks=3, codebook_size=16, frames=500, samples=160000)
        packed = pack_sgc(codes, header)
        coded = header.model_copy(update={"entropy": entropy_model.fingerprint})
        content = pack_sgc(codes, coded, entropy_model)
        assert len(content) < most * len(packed)
        assert torch.equal(unpack_sgc(content, coder=entropy_model).codes, codes)


def test_the_whole_numbers_are_the_network_that_was_trained(patterned_codes, small_entropy):
    torch.manual_seed(0)
    network = EntropyNetwork(3, 16, small_entropy)
    codes = patterned_codes(400, seed=3)
    with torch.no_grad():
        everywhere = torch.arange(codes.shape[1]).expand(3, -1)
        bits = network.bits(codes[None], torch.tensor([3]), everywhere).sum().item() * codes.shape[1]
    assert 8 * len(quantise(network).compress(codes.numpy())) == pytest.approx(bits, rel=0.01)


def test_probabilities_do_not_depend_on_the_order_of_adding(entropy_model, patterned_codes):
    """float32 sums of these whole numbers are exact: the same ones in float64, whose sums cannot round, agree."""
    codes = patterned_codes(50, seed=4).numpy()
    exact = EntropyModel(entropy_model.weights)
    for name, value in vars(exact).items():
        if isinstance(value, np.ndarray):
            setattr(exact, name, value.astype(np.float64))
    exact._bias = {name: bias.astype(np.float64) for name, bias in exact._bias.items()}
    assert exact.compress(codes) == entropy_model.compress(codes)


def test_fitting_again_gives_the_same_model(patterned_codes, small_entropy):
    codes = patterned_codes(500)
    config = small_entropy.model_copy(update={"steps": 3})
    assert fit_entropy(codes, 16, config).fingerprint == fit_entropy(codes, 16, config).fingerprint


def test_knowing_what_codes_stand_for_saves_bits_from_the_start(small_entropy):
    """Codes of a slow walk: which of them are alike is in the vectors, and has to be learned without them."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(2, 64, 4, generator=generator) * torch.tensor([1.0, 0.3])[:, None, None]
    walk = torch.nn.functional.conv1d(torch.randn(4, 1, 4015, generator=generator), torch.ones(1, 1, 16) / 4)[:, 0].T
    first = torch.cdist(walk, vectors[0]).argmin(1)
    codes = torch.stack([first, torch.cdist(walk - vectors[0][first], vectors[1]).argmin(1)])
    config = small_entropy.model_copy(update={"embedding": 6, "steps": 60})
    train, test = codes[:, :3000], codes[:, 3000:]
    knowing, learning = (savings(fit_entropy(train, 64, config, vectors=v), [test], 64) for v in (vectors, None))
    assert knowing > learning + 0.05


def test_a_model_on_disk_is_itself_or_refused(tmp_path, entropy_model, patterned_codes):
    path = tmp_path / FILE
    entropy_model.save(path)
    again = EntropyModel.load(path)
    codes = patterned_codes(40).numpy()
    assert again.fingerprint == entropy_model.fingerprint and again.compress(codes) == entropy_model.compress(codes)
    weights = entropy_model.weights
    for wrong in (
        {"a": np.zeros(3, dtype=np.int8)},
        {**weights, "deep": weights["deep"][:3]},
        {**weights, "out": weights["out"].astype(np.float32)},
        {**weights, "shifts": weights["shifts"] + 40},
        {**weights, "out_bias": np.full_like(weights["out_bias"], 2**30)},
        {**weights, "table": weights["table"] * 0},
    ):
        safetensors.numpy.save_file(wrong, path)
        with pytest.raises(UserError, match=f"{FILE}: no entropy model"):
            EntropyModel.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="no entropy model"):
        EntropyModel.load(path)


def test_codes_of_another_model_are_refused(entropy_model, patterned_codes, small_entropy):
    codes = patterned_codes(50)
    facts = {"sample_rate": 16000, "hop": 320, "codebooks": 3, "codebook_size": 16, "frames": 50, "samples": 16000}
    content = pack_sgc(codes, SgcHeader(**facts, entropy=entropy_model.fingerprint), entropy_model)
    other = quantise(EntropyNetwork(3, 16, small_entropy))
    for coder in (None, other):
        with pytest.raises(UserError, match=f"entropy-coded with model {entropy_model.fingerprint}"):
            unpack_sgc(content, "a.sgc", coder)
    more = SgcHeader(**{**facts, "codebooks": 4}, entropy=entropy_model.fingerprint)
    with pytest.raises(UserError, match="its entropy model knows 3 of 16"):
        pack_sgc(torch.cat([codes, codes[:1]]), more, entropy_model)
