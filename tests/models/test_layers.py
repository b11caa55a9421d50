"""Hidden layers that a perceptual loss compares: of our listener, of a classifier of images, of a model that
transformers loads."""

import pytest
import torch

from speechgen.errors import UserError
from speechgen.losses.perceptual import PerceptualLoss
from speechgen.models.classifier import ImageClassifier, ImageClassifierConfig
from speechgen.models.layers import ClassifierLayers, ListenerLayers, TransformersLayers
from speechgen.models.listener import Listener, ListenerConfig


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def listener() -> Listener:
    torch.manual_seed(0)
    known = {"phonemes": ["_"], "characters": ["_"], "speakers": ["a"]}
    config = ListenerConfig(sample_rate=4000, mels=8, hop=80, width=8, blocks=3, kernel=3, dropout=0.5, **known)
    return Listener(config).eval()


def classifier() -> ImageClassifier:
    torch.manual_seed(0)
    return ImageClassifier(ImageClassifierConfig(side=8, width=8, labels=["a", "b"])).eval()


def check_gradient(loss: PerceptualLoss, made: torch.Tensor, real: torch.Tensor) -> None:
    assert loss(real, real) == 0
    made.requires_grad_()
    loss(made, real).backward()
    assert made.grad.any() and made.grad.isfinite().all()


def test_of_a_listener_they_are_its_blocks() -> None:
    heard, made, real = listener(), noise(2, 1, 2000, seed=1), noise(2, 1, 2000)
    targets, guesses = (heard.hidden(wave[:, 0], 3) for wave in (real, made))
    expected = sum((guesses[n] - targets[n]).abs().mean() / targets[n].abs().mean() for n in (0, 2)) / 2
    assert PerceptualLoss(ListenerLayers(heard, 4000), (0, 2))(made, real) == expected


def test_a_listener_hears_other_rates() -> None:
    check_gradient(
        PerceptualLoss(ListenerLayers(listener(), 6000), (0, 2)), noise(2, 1, 2400, seed=1), noise(2, 1, 2400)
    )


def test_of_a_classifier_they_are_its_encoders_layers() -> None:
    judge, made, real = classifier(), noise(2, 1, 8, 8, seed=1), noise(2, 1, 8, 8)
    first = judge.encoder.layers[0]
    expected = (first(made) - first(real)).abs().mean() / first(real).abs().mean()
    assert PerceptualLoss(ClassifierLayers(judge), (0,))(made, real) == expected
    check_gradient(PerceptualLoss(ClassifierLayers(judge), (0, 1, 2)), made, real)


def test_of_a_model_of_transformers(tmp_path) -> None:
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8, conv_dim=(4, 4),
        conv_stride=(5, 4), conv_kernel=(10, 8), num_feat_extract_layers=2, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    HubertModel(config).save_pretrained(tmp_path / "hubert")
    loss = PerceptualLoss(TransformersLayers(str(tmp_path / "hubert"), 8000), (0, 2))
    check_gradient(loss, noise(2, 1, 1600, seed=1), noise(2, 1, 1600))


def test_weights_that_are_not_there_are_named(tmp_path) -> None:
    with pytest.raises(UserError, match="nowhere: no WavLM or HuBERT weights there"):
        TransformersLayers(str(tmp_path / "nowhere"), 16000)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: no WavLM or HuBERT weights there"):
        TransformersLayers(str(tmp_path / "empty"), 16000)
