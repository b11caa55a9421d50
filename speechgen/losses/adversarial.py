"""The adversarial losses: what the discriminators learn, and what the generator learns from them.

Each loss is a function of its own that returns a mean over discriminators, so its size does not depend on
how many there are. ``discriminator_losses`` and ``generator_losses`` are the two halves of a training step;
both return one entry per loss, so that each can be logged, weighted and switched off alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from speechgen.losses.discriminators import Features

AdversarialKind = Literal["least_squares", "hinge"]
"""``least_squares``: LSGAN (Mao et al. 2017), as in HiFi-GAN and DAC. ``hinge``: Lim and Ye 2017, as in EnCodec."""


def discriminator_losses(
    discriminators: nn.Module, real: Tensor, fake: Tensor, kind: AdversarialKind = "least_squares"
) -> dict[str, Tensor]:
    """The discriminators' step: ``{"discriminator"}`` for waveforms (B, 1, T); none of it reaches the generator."""
    return {"discriminator": discriminator_loss(discriminators(real), discriminators(fake.detach()), kind)}


def generator_losses(
    discriminators: nn.Module,
    real: Tensor,
    fake: Tensor,
    kind: AdversarialKind = "least_squares",
    feature_matching: bool = True,
) -> dict[str, Tensor]:
    """The generator's step: ``{"adversarial", "feature_matching"}`` for waveforms (B, 1, T).

    The discriminators gather no gradients from it.
    """
    with _frozen(discriminators):
        fake_features = discriminators(fake)
        losses = {"adversarial": adversarial_loss(fake_features, kind)}
        if feature_matching:
            with torch.no_grad():
                real_features = discriminators(real)
            losses["feature_matching"] = feature_matching_loss(real_features, fake_features)
    return losses


def discriminator_loss(real: Features, fake: Features, kind: AdversarialKind = "least_squares") -> Tensor:
    """How badly recordings and reconstructions are told apart: 0 is perfect, chance is 0.5 (hinge: 2)."""
    losses = []
    for real_maps, fake_maps in zip(real, fake, strict=True):
        real_logits, fake_logits = real_maps[-1].float(), fake_maps[-1].float()
        if kind == "hinge":
            losses.append(functional.relu(1 - real_logits).mean() + functional.relu(1 + fake_logits).mean())
        else:
            losses.append((1 - real_logits).square().mean() + fake_logits.square().mean())
    return torch.stack(losses).mean()


def adversarial_loss(fake: Features, kind: AdversarialKind = "least_squares") -> Tensor:
    """How well reconstructions are seen through: least squares lies above 0, hinge has no lower bound."""
    logits = [maps[-1].float() for maps in fake]
    losses = [-member.mean() if kind == "hinge" else (1 - member).square().mean() for member in logits]
    return torch.stack(losses).mean()


def feature_matching_loss(real: Features, fake: Features) -> Tensor:
    """L1 distance of the hidden feature maps, each relative to the mean size of the recording's map.

    EnCodec (Défossez et al. 2022, equation 2). Logits are left out; recordings get no gradient.
    """
    distances = []
    for real_maps, fake_maps in zip(real, fake, strict=True):
        for real_map, fake_map in zip(real_maps[:-1], fake_maps[:-1], strict=True):
            target = real_map.detach().float()
            size = target.abs().mean().clamp(min=1e-5)
            distances.append((target - fake_map.float()).abs().mean() / size)
    return torch.stack(distances).mean()


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """Leave a module's parameters out of the graphs built inside: their gradients would cost a third of the step."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
