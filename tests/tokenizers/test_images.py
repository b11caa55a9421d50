"""Image tokenizers: shapes, ways back, what the quantizers learn, and that a grid is a sequence with another shape."""

import pytest
import torch
import torch.nn.functional as F

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.nn.convnext import ConvNeXtBlock
from speechgen.nn.grid import GridDecoder, GridEncoder
from speechgen.tokenizers.images import ImageCodec, ImageCodecConfig
from speechgen.tokenizers.pixels import Pixels, PixelsConfig
from speechgen.tokenizers.scales import ScaleQuantizer, ScalesConfig

BOTTLENECKS = {
    "vq": {"kind": "rvq", "codebooks": 1, "codebook_size": 8, "code_width": 3, "start_step": 1, "revive_every": 2},
    "rvq": {"kind": "rvq", "codebooks": 3, "codebook_size": 8, "code_width": 3, "start_step": 0},
    "lookup-free": {"kind": "fsq", "levels": [2, 2, 2], "codebooks": 1},
    "vae": {"kind": "vae"},
    "scales": {"kind": "scales", "scales": [1, 2, 4], "codebook_size": 8, "code_width": 3, "start_step": 1},
    "titok": {"kind": "rvq", "codebooks": 1, "codebook_size": 8, "code_width": 3, "start_step": 1, "revive_every": 2},
}
SHAPES = {
    "titok": (1, 5),
    "vq": (1, 4, 4),
    "rvq": (3, 4, 4),
    "lookup-free": (1, 4, 4),
    "vae": (6, 4, 4),
    "scales": (1, 21),
}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def codec(name: str) -> ImageCodec:
    torch.manual_seed(0)
    sizes = {"side": 8, "strides": [2], "width": 12, "latent": 6}
    if name == "titok":
        sizes |= {"tokens": 5, "width": 16}
    return ImageCodec(make_config(ImageCodecConfig, {**sizes, "bottleneck": BOTTLENECKS[name]}))


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_every_bottleneck_learns_and_goes_both_ways(name: str) -> None:
    model, draw = codec(name), generator()
    images = torch.rand(16, 1, 8, 8, generator=draw).round() * 2 - 1
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        made, quantized = model(images, draw)
        error = F.mse_loss(made, images)
        loss = error + sum(quantized.losses.values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(error.item())
    assert losses[-1] < losses[0]
    model.eval()
    tokens = model.encode(images)
    assert tokens.values.shape == (16, *SHAPES[name])
    assert (tokens.kind == "continuous") == (name == "vae") == tokens.values.is_floating_point()
    if name != "vae":
        assert 0 <= tokens.values.min() and tokens.values.max() < model.codebook_size == 8
    again = model.decode(tokens)
    assert again.shape == images.shape
    alone = model.decode(model.encode(images[:1]))
    torch.testing.assert_close(again[:1], alone, atol=1e-5, rtol=1e-5)


def test_scales_add_up_and_their_canvases_grow() -> None:
    torch.manual_seed(0)
    config = make_config(ScalesConfig, {**BOTTLENECKS["scales"], "start_step": 0})
    quantizer, latents = ScaleQuantizer(6, config), torch.randn(5, 6, 4, 4, generator=generator())
    trained = quantizer(latents, generator())
    assert {"codebook", "commitment", "tie"} == set(trained.losses)
    codes = quantizer.encode(latents)
    grids = [part.unflatten(2, (s, s)) for part, s in zip(codes.split([1, 4, 16], dim=2), (1, 2, 4), strict=True)]
    torch.testing.assert_close(quantizer.canvas(grids, 4), quantizer.decode(codes))
    assert quantizer.canvas(grids[:1], 2).shape == (5, 6, 2, 2)
    # What training decodes is what its codes decode to.
    fresh = quantizer.eval()
    fresh.seen.fill_(1)
    torch.testing.assert_close(fresh(latents, generator()).values, fresh.decode(fresh.encode(latents)))


@pytest.mark.parametrize(("levels", "patch", "channels"), [(0, 1, 1), (0, 2, 3), (2, 1, 1), (16, 4, 1)])
def test_pixels_come_back(levels: int, patch: int, channels: int) -> None:
    pixels = Pixels(PixelsConfig(side=8, channels=channels, levels=levels, patch=patch))
    images = torch.rand(2, channels, 8, 8, generator=generator()) * 2 - 1
    if levels:
        images = ((images + 1) / 2 * (levels - 1)).round() / (levels - 1) * 2 - 1
    tokens = pixels.encode(images)
    assert tokens.values.shape == (2, channels * patch**2, 8 // patch, 8 // patch)
    torch.testing.assert_close(pixels.decode(tokens), images)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_blocks_know_any_number_of_dimensions(dimensions: int) -> None:
    sides = (8,) * dimensions
    encoder, decoder = GridEncoder(2, 4, 3, (2, 2), 1, dimensions), GridDecoder(3, 4, 2, (2, 2), 1, dimensions)
    x = torch.randn(1, 2, *sides, generator=generator())
    assert encoder(x).shape == (1, 3, *(2,) * dimensions)
    assert decoder(encoder(x)).shape == x.shape


def test_a_picture_one_pixel_high_is_a_sequence() -> None:
    torch.manual_seed(0)
    line, plane = ConvNeXtBlock(4, 3, causal=False), ConvNeXtBlock(4, 3, causal=False, dimensions=2)
    weights = line.state_dict()
    middle = torch.zeros(4, 1, 3, 3)
    middle[:, :, 1] = weights["depthwise.weight"]
    plane.load_state_dict({**weights, "depthwise.weight": middle})
    x = torch.randn(2, 4, 9, generator=generator())
    torch.testing.assert_close(plane(x.unsqueeze(2)).squeeze(2), line(x))


def test_sizes_that_do_not_fit_are_refused() -> None:
    for kind, values, words in [
        (ImageCodecConfig, {"side": 9, "strides": [2]}, "do not divide the side of 9"),
        (ImageCodecConfig, {"side": 8, "strides": [2], "bottleneck": {"kind": "scales"}}, "scales end at 7"),
        (PixelsConfig, {"side": 8, "patch": 3}, "patch 3 does not divide"),
        (PixelsConfig, {"levels": 1}, "levels: 1"),
    ]:
        with pytest.raises(UserError, match=words):
            make_config(kind, values)
