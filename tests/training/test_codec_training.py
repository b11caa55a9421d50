"""How the codec is trained: which losses, who plays when, what stays frozen, what codebooks need."""

import pytest
import torch

from speechgen.losses.perceptual import PerceptualLoss
from speechgen.models.layers import ListenerLayers, PerceptualConfig
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.training.codec import CodecTraining
from speechgen.training.loop import train


def test_the_loss_falls_on_a_tiny_problem(build, config, tmp_path, left_behind):
    task = build("codec", adversarial=0.0, feature_matching=0.0)
    train(task, config(60, log_every=10, learning_rate=1e-2), tmp_path)
    total = [value for _, value in left_behind(tmp_path)[1]["codec/total"]]
    assert total[-1] < 0.8 * total[0]


def test_discriminators_enter_when_they_should(build):
    task = build("codec")
    assert [task.turns(step) for step in (2, 3)] == [["codec"], ["codec", "discriminators"]]
    warm = build("codec", discriminator_warmup=2)
    turns = [["codec"], ["discriminators"], ["discriminators"], ["codec", "discriminators"]]
    assert [warm.turns(step) for step in (2, 3, 4, 5)] == turns
    seldom = build("codec", discriminator_every=3)
    assert ["discriminators" in seldom.turns(step) for step in range(2, 8)] == [False, True, False, False, True, False]
    silent = build("codec", adversarial=0.0, feature_matching=0.0, discriminator_warmup=2)
    assert silent.turns(3) == ["codec"] and set(silent.players) == {"codec"}


@pytest.mark.parametrize("balance", [True, False])
def test_each_loss_is_logged_alone(balance, build):
    task = build("codec", balance=balance)
    generator = torch.Generator().manual_seed(0)
    batch = task.batch(0, 0, 1)
    early = task.losses("codec", batch, 0, generator)[1]
    norms = {f"norm/{name}" for name in ("waveform", "stft", "mel")} if balance else set()
    assert {"waveform", "stft", "mel"} | norms == early.keys()
    late = [task.losses("codec", batch, step, generator)[1] for step in (3, 3, 3)][-1]
    surface, opponents = {"waveform", "stft", "mel"}, {"adversarial", "feature_matching"}
    bottleneck = {"codebook", "commitment", "tie", "perplexity", "codes_in_use"}
    bottleneck |= {f"{fact}/{k:02d}" for fact in ("perplexity", "codes_in_use") for k in (1, 2, 3)}
    norms = {f"norm/{name}" for name in surface | opponents} if balance else set()
    assert late.keys() == surface | opponents | bottleneck | norms
    assert all(value == value for value in late.values())


@pytest.mark.parametrize(
    "frozen",
    [{"freeze_encoder": True}, {"decoder_only": True, "adversarial": 0.0, "feature_matching": 0.0}],
    ids=["discriminators", "surface"],
)
def test_a_frozen_encoder_and_its_codes_stay_while_the_decoder_learns(frozen, build, config, tmp_path, left_behind):
    train(build("codec", **frozen), config(8), tmp_path, until=3)
    before = left_behind(tmp_path)[0]["weights"]
    train(build("codec", **frozen), config(8), tmp_path)
    after = left_behind(tmp_path)[0]["weights"]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    trained = {name.removeprefix("codec.safetensors/") for name in changed if name.startswith("codec.safetensors/")}
    assert any(name.startswith("decoder.") for name in trained)
    assert not [name for name in trained if name.startswith("encoder.") or "levels" in name]
    assert not {"latent_mean", "latent_deviation"} & trained


def test_the_discriminators_learn_nothing_from_the_codec_s_turn(build):
    task = build("codec")
    loss, _ = task.losses("codec", task.batch(0, 0, 1), 3, torch.Generator().manual_seed(0))
    loss.backward()
    assert all(parameter.grad is None for parameter in task.players["discriminators"].parameters())
    loss, _ = task.losses("discriminators", task.batch(0, 0, 1), 3, torch.Generator())
    task.players["codec"].zero_grad(set_to_none=True)
    loss.backward()
    assert all(parameter.grad is None for parameter in task.players["codec"].parameters())
    assert any(parameter.grad is not None for parameter in task.players["discriminators"].parameters())


def test_while_discriminators_warm_up_the_codec_waits(build, config, tmp_path, left_behind):
    task = {"discriminator_warmup": 3, "freeze_encoder": True}
    train(build("codec", **task), config(8), tmp_path, until=3)
    before = left_behind(tmp_path)[0]["weights"]
    train(build("codec", **task), config(8), tmp_path, until=6)
    checkpoint, logged = left_behind(tmp_path)
    after = checkpoint["weights"]
    changed = {name.split("/")[0] for name in before if not torch.equal(before[name], after[name])}
    assert "discriminators.safetensors" in changed and "codec.safetensors" not in {
        name.split("/")[0]
        for name in before
        if not torch.equal(before[name], after[name]) and not name.endswith(("usage", "seen"))
    }
    train(build("codec", **task), config(8), tmp_path)
    steps = {name: [step for step, _ in points] for name, points in left_behind(tmp_path)[1].items()}
    assert steps["codec/total"] == [2, 4, 8] and steps["discriminators/loss"] == [4, 6, 8]
    assert checkpoint["name"] == "00000006" and not torch.equal(
        left_behind(tmp_path)[0]["weights"]["codec.safetensors/decoder.outlet.weight"],
        after["codec.safetensors/decoder.outlet.weight"],
    )


def test_shares_are_those_of_the_pull_on_the_decoder(build):
    """A mel loss with nearly all of the weight moves the decoder's last layer as it would alone."""
    gradients = {}
    for where in ("decoder", "waveform"):
        task = build("codec", adversarial=0.0, feature_matching=0.0)
        task.game = task.game.model_copy(update={"balance_at": where, "bottleneck_weight": 0.0})
        task.losses("codec", task.batch(0, 0, 1), 0, torch.Generator().manual_seed(0))[0].backward()
        gradients[where] = task.players["codec"].decoder.outlet.weight.grad
    assert 0 < gradients["decoder"].norm() <= 1 + 1e-5
    assert not torch.allclose(gradients["decoder"], gradients["waveform"])


def test_the_perceptual_loss_takes_part(build):
    surfaces = build("codec", adversarial=0.0, feature_matching=0.0)
    known = {"phonemes": ["_"], "characters": ["_"], "speakers": ["a"]}
    config = ListenerConfig(sample_rate=4000, mels=10, hop=80, width=8, blocks=2, kernel=3, **known)
    perceptual = PerceptualLoss(ListenerLayers(Listener(config), 4000), (0, 1))
    values = surfaces.task.model_copy(update={"perceptual": PerceptualConfig(weight=0.5)})
    examples = [build("example", number=n, seconds=0.3) for n in range(3)]
    task = CodecTraining(surfaces.players["codec"], values, examples, examples[:1], perceptual)
    logged = task.losses("codec", task.batch(0, 0, 1), 0, torch.Generator().manual_seed(0))[1]
    assert logged["perceptual"] > 0
    shown = task.evaluate({"codec": task.players["codec"]}, torch.Generator())
    assert {f"{v}/{n}" for v in ("codes", "continuous") for n in ("waveform", "stft", "mel", "perceptual")} == set(
        shown.scalars
    )


def test_an_evaluation_gives_something_to_hear_and_to_see(build):
    task = build("codec")
    shown = task.evaluate({"codec": task.players["codec"]}, torch.Generator())
    assert set(shown.audio) == set(shown.pictures) == {"codes", "continuous"}
    wave, rate = shown.audio["codes"]
    assert wave.shape == (1200,) and rate == 4000 and shown.pictures["codes"].shape[2] == 3


def test_ranks_share_a_batch(build):
    task = build("codec")
    whole = task.batch(4, 0, 1)
    halves = [task.batch(4, rank, 2) for rank in range(2)]
    assert torch.equal(torch.cat(halves).sort(0).values, whole.sort(0).values)
    assert torch.equal(task.batch(4, 0, 1), whole) and not torch.equal(task.batch(5, 0, 1), whole)


def test_gain_makes_crops_louder_and_softer_and_clips_none(build):
    task = build("codec")
    plain = task.batch(4, 0, 1)
    task.task = task.task.model_copy(update={"gain": (-20.0, 40.0)})
    changed, again, later = task.batch(4, 0, 1), task.batch(4, 0, 1), task.batch(5, 0, 1)
    assert torch.equal(changed, again) and changed.shape == later.shape
    assert torch.equal(task.batch(4, 1, 2), changed[1::2])
    factors = (changed.square().sum((1, 2)) / plain.square().sum((1, 2))).sqrt()
    assert factors.min() >= 0.1 - 1e-4 and factors.max() <= 100 and len(factors.unique()) == len(factors)
    torch.testing.assert_close(changed, plain * factors[:, None, None])
    assert changed.abs().max() <= 1 + 1e-6
