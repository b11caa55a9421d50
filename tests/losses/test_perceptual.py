"""Perceptual loss: distance in hidden layers, of our listener or of a model that transformers loads."""

import pytest
import torch

from speechgen.errors import UserError
from speechgen.losses.perceptual import ListenerLayers, PerceptualLoss, TransformersLayers
from speechgen.models.listener import Listener, ListenerConfig


def noise(samples: int, seed: int = 0, rows: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(rows, 1, samples, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def listener() -> Listener:
    torch.manual_seed(0)
    known = {"phonemes": ["_"], "characters": ["_"], "speakers": ["a"]}
    return Listener(ListenerConfig(sample_rate=4000, mels=8, hop=80, width=8, blocks=3, kernel=3, dropout=0.5, **known))


@pytest.mark.parametrize("rate", [4000, 6000])
def test_the_same_costs_nothing_and_worse_costs_more(rate, listener):
    loss = PerceptualLoss(ListenerLayers(listener, rate), (0, 2))
    real = noise(2400)
    assert loss(real, real) == 0
    near, far = (loss(real + level * noise(2400, seed=1), real) for level in (0.05, 0.5))
    assert 0 < near < far


def test_it_is_the_mean_over_the_chosen_layers(listener):
    real, made = noise(2000), noise(2000, seed=1)
    alone = [PerceptualLoss(ListenerLayers(listener, 4000), (layer,))(made, real) for layer in (0, 2)]
    together = PerceptualLoss(ListenerLayers(listener, 4000), (0, 2))(made, real)
    torch.testing.assert_close(together, sum(alone) / 2)
    targets, guesses = (listener.hidden(wave[:, 0], 1)[0] for wave in (real, made))
    torch.testing.assert_close(alone[0], (guesses - targets).abs().mean() / targets.abs().mean())


def test_gradients_reach_the_wave_and_not_the_listener(listener):
    loss = PerceptualLoss(ListenerLayers(listener, 4000), (0, 1))
    made, real = noise(2000, seed=1).requires_grad_(), noise(2000).requires_grad_()
    loss(made, real).backward()
    assert made.grad.any() and made.grad.isfinite().all() and real.grad is None
    assert all(parameter.grad is None for parameter in listener.parameters())


def test_training_mode_brings_no_dropout(listener):
    loss = PerceptualLoss(ListenerLayers(listener, 4000), (2,)).train()
    assert not listener.training
    made, real = noise(2000, seed=1), noise(2000)
    assert loss(made, real) == loss(made, real)


def test_a_model_of_transformers(tmp_path):
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8, conv_dim=(4, 4),
        conv_stride=(5, 4), conv_kernel=(10, 8), num_feat_extract_layers=2, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    HubertModel(config).save_pretrained(tmp_path / "hubert")
    loss = PerceptualLoss(TransformersLayers(str(tmp_path / "hubert"), 8000), (0, 2))
    real = noise(1600)
    assert loss(real, real) == 0
    made = noise(1600, seed=1).requires_grad_()
    loss(made, real).backward()
    assert made.grad.any() and made.grad.isfinite().all()


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match="nowhere: no WavLM or HuBERT weights there"):
        TransformersLayers(str(tmp_path / "nowhere"), 16000)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: no WavLM or HuBERT weights there"):
        TransformersLayers(str(tmp_path / "empty"), 16000)
