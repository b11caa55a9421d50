"""One-shot generators: what they learn and draw; a normalizing flow can be undone and knows its volume."""

import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.gan import ImageGAN, ImageGANConfig
from speechgen.models.normalizing_flow import ImageFlow, ImageFlowConfig
from speechgen.models.vae import ImageVAE, ImageVAEConfig

SIZES = {"side": 8, "width": 8, "labels": ["zero", "one"]}
MODELS = {
    "vae": (ImageVAE, ImageVAEConfig, {"strides": [2], "latent": 4}),
    "flow": (ImageFlow, ImageFlowConfig, {"scales": 2, "steps": 2}),
    "gan": (ImageGAN, ImageGANConfig, {"strides": [2], "noise": 4}),
}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def make(name: str):
    module, config, sizes = MODELS[name]
    torch.manual_seed(0)
    return module(make_config(config, {**SIZES, **sizes}))


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 8, 8, generator=generator()) * 2 - 1


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_draws_the_same_images(name: str) -> None:
    model, labels = make(name).eval(), torch.tensor([0, 1, 1])
    one, again = (draw_images(model, labels, Drawing(), generator()) for _ in range(2))
    assert one.shape == (3, 1, 8, 8) and one.abs().max() <= 1 and torch.equal(one, again)
    with pytest.raises(UserError, match="in one pass"):
        draw_images(model, labels, Drawing(guidance=2.0), generator())
    for wrong in ("steps", "order_steps"):
        with pytest.raises(UserError, match=f"{wrong} must be at least 1, not 0"):
            draw_images(model, labels, Drawing(**{wrong: 0}), generator())
    with pytest.raises(UserError, match="guidance must be a finite number, not nan"):
        draw_images(model, labels, Drawing(guidance=float("nan")), generator())
    with pytest.raises(UserError, match="label 'zeros' is not known; known: zero, one"):
        model.label_ids(["zeros"])


@pytest.mark.parametrize("name", ["vae", "flow"])
def test_their_losses_fall(name: str) -> None:
    model, labels, draw, losses = make(name), torch.tensor([0, 1] * 8), generator(), []
    data = torch.where(labels[:, None, None, None] == 0, 0.5, -0.5) + 0.1 * images(16)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(15):
        loss, _ = model.losses(data, labels, draw)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_flow_can_be_undone_and_knows_its_volume() -> None:
    model, labels = make("flow").double(), torch.tensor([1])
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    x = torch.randn(1, 1, 8, 8, generator=generator(), dtype=torch.float64)
    noise, volume = model(x, labels)
    torch.testing.assert_close(model.inverse(noise, labels), x)
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x, labels)[0], x).view(64, 64)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, volume[0])
