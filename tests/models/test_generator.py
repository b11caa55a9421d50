"""The generator of images: every triple trains and draws; what generation sees is what training showed."""

import pytest
import torch
from torch import Tensor

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.draw import Drawing, draw_images, draw_units
from speechgen.models.generator import Generator, GeneratorConfig

SIDE = 8
CODEC = {"kind": "image-codec", "side": SIDE, "width": 8, "blocks": 1, "strides": [2], "latent": 4}
VQ = {**CODEC, "bottleneck": {"kind": "rvq", "codebooks": 1, "codebook_size": 11, "code_width": 3}}
RVQ = {**CODEC, "bottleneck": {"kind": "rvq", "codebooks": 2, "codebook_size": 11, "code_width": 3}}
LOOKUP_FREE = {**CODEC, "bottleneck": {"kind": "fsq", "levels": [2, 2, 2], "codebooks": 1}}
VAE = {**CODEC, "bottleneck": {"kind": "vae"}}
SCALES = {**CODEC, "bottleneck": {"kind": "scales", "scales": [1, 2, 4], "codebook_size": 11, "code_width": 3}}
TITOK = {**VQ, "tokens": 5, "width": 16}
PIXELS = {"kind": "pixels", "side": SIDE, "levels": 2}
PATCHES = {"kind": "pixels", "side": SIDE, "patch": 2}
TINY = {"width": 8, "blocks": 1}
FLOW, DIFFUSION = {"kind": "flow", **TINY}, {"kind": "diffusion", **TINY}
CATEGORICAL, DEPTH = {"kind": "categorical"}, {"kind": "depth", "width": 8, "layers": 1, "heads": 2}
RANDOM, NEXT_SCALE = {"kind": "masked", "choice": "random"}, {"kind": "next_scale", "scales": [1, 2, 4]}

TRIPLES = {
    "pixels, raster, categorical": (PIXELS, {"kind": "raster"}, CATEGORICAL),
    "pixels, raster, categorical, by PixelCNN": (PIXELS, {"kind": "raster"}, CATEGORICAL, "pixelcnn"),
    "pixels, raster, categorical, by PixelRNN": (PIXELS, {"kind": "raster"}, CATEGORICAL, "pixelrnn"),
    "1-D codes, masked, categorical": (TITOK, {"kind": "masked"}, CATEGORICAL),
    "1-D codes, raster, categorical": (TITOK, {"kind": "raster"}, CATEGORICAL),
    "codes, raster, categorical": (VQ, {"kind": "raster"}, CATEGORICAL),
    "codes, delay, categorical": (RVQ, {"kind": "delay"}, CATEGORICAL),
    "codes, flat, categorical": (RVQ, {"kind": "flat"}, CATEGORICAL),
    "codes, flat, logistics": (RVQ, {"kind": "flat"}, {"kind": "logistics", "mixtures": 3}),
    "codes, raster, depth": (RVQ, {"kind": "raster"}, DEPTH),
    "lookup-free, raster, categorical": (LOOKUP_FREE, {"kind": "raster"}, CATEGORICAL),
    "codes, masked, categorical": (VQ, {"kind": "masked"}, CATEGORICAL),
    "codes, random, depth": (RVQ, RANDOM, DEPTH),
    "codes, next scale, categorical": (SCALES, NEXT_SCALE, CATEGORICAL),
    "latents, random, diffusion": (VAE, RANDOM, DIFFUSION),
    "latents, raster, flow": (VAE, {"kind": "raster"}, FLOW),
    "latents, raster, energy": (VAE, {"kind": "raster"}, {"kind": "energy", **TINY}),
    "latents, raster, gaussian": (VAE, {"kind": "raster"}, {"kind": "gaussian", "mixtures": 2}),
    "latents, raster, mse": (VAE, {"kind": "raster"}, {"kind": "mse"}),
    "latents, next scale, flow": (VAE, NEXT_SCALE, FLOW),
    "latents, joint, flow": (VAE, {"kind": "joint"}, FLOW),
    "pixels, joint, diffusion": (PATCHES, {"kind": "joint"}, DIFFUSION),
}


def make(triple: str) -> Generator:
    tokenizer, order, head, *backbone = TRIPLES[triple]
    values = {"tokenizer": tokenizer, "order": order, "head": head, "width": 16, "layers": 2, "heads": 2}
    values["backbone"] = backbone[0] if backbone else "transformer"
    torch.manual_seed(0)
    model = Generator(make_config(GeneratorConfig, {**values, "labels": ["zero", "one"]}))
    for weight in model.parameters():
        if weight.requires_grad and weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 3) -> Tensor:
    return torch.rand(count, 1, SIDE, SIDE, generator=generator()) * 2 - 1


@pytest.mark.parametrize("triple", TRIPLES)
def test_every_triple_learns_and_draws(triple: str) -> None:
    model = make(triple)
    units = model.units_of(images())
    model.measure(units)
    loss = model.losses(units, torch.tensor([0, 1, 2]), generator())
    loss.backward()
    assert loss.isfinite()
    unused = {name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None}
    assert not unused - {"head.embedding.weight"}
    assert all(weight.grad is None for weight in model.tokenizer.parameters())
    steps = {"steps": 2} if model.config.head.kind in ("flow", "diffusion") else {}
    drawn = draw_images(model, torch.tensor([0, 1]), Drawing(guidance=1.5, **steps), generator())
    assert drawn.shape == (2, 1, SIDE, SIDE) and drawn.abs().max() <= 1
    again = draw_images(model, torch.tensor([0, 1]), Drawing(guidance=1.5, **steps), generator())
    assert torch.equal(drawn, again)


FROM_THE_LEFT = [name for name in TRIPLES if any(order in name for order in ("raster", "delay", "flat", "next scale"))]


@pytest.mark.parametrize("triple", FROM_THE_LEFT)
def test_cached_generation_sees_what_training_showed(triple: str) -> None:
    """Each z of the uncached backbone, on the finished units, draws greedily the unit that was drawn with the cache."""
    model, labels = make(triple), torch.tensor([0, 1])
    steps = {"steps": 2} if model.config.head.kind in ("flow", "diffusion") else {}
    *_, units = draw_units(model, labels, Drawing(temperature=0.0, **steps), generator())
    view = model.view((units - model.mean) / model.deviation if not model.tokenizer.codebooks else units, generator())
    z = model.look(model.embed(view.inputs, view.blank), model.condition(labels), view.visible)
    for position in range(z.shape[1]):
        options = {"temperature": 0.0, **steps}
        if model.config.order.kind == "flat":
            options["allowed"] = model.order.plan(position, torch.tensor([16, 16])).allowed
        drawn = model.head.sample(z[:, position], **options)
        real = view.target[:, position] if model.config.order.kind != "delay" else None
        if real is None:  # codes of the delay order's corners are special
            there = view.target[:, position] != model.order.special
            assert torch.equal(drawn[there], view.target[:, position][there])
        else:
            torch.testing.assert_close(drawn, real, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("triple", FROM_THE_LEFT)
def test_the_visible_part_decides(triple: str) -> None:
    """Row i of the mask: what a position does not see may change without changing its z."""
    model = make(triple)
    units = model.units_of(images(1))
    view = model.view(units, generator())
    x, condition = model.embed(view.inputs, view.blank), model.condition(torch.tensor([0]))
    z = model.look(x, condition, view.visible)
    assert (z[:, 0] - z[:, -1]).abs().max() > 0
    for position in (0, x.shape[1] // 2, x.shape[1] - 1):
        changed = torch.where(view.visible[position][:, None], x, x + 1.0)
        torch.testing.assert_close(model.look(changed, condition, view.visible)[:, position], z[:, position])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="use order: {kind: next_scale, scales: .1, 2, 4.}"):
        TRIPLES["wrong"] = (SCALES, {"kind": "raster"}, CATEGORICAL)
        try:
            make("wrong")
        finally:
            del TRIPLES["wrong"]
    model = make("codes, raster, categorical")
    for drawing, words in [
        (Drawing(steps=4), "draws in one pass"),
        (Drawing(order_steps=4), "order_steps is for masked"),
        (Drawing(order_steps=0), "at least 1"),
        (Drawing(guidance=float("nan")), "guidance must be a finite number, not nan"),
        (Drawing(guidance=float("-inf")), "guidance must be a finite number, not -inf"),
        (Drawing(temperature=float("inf")), "temperature must be a finite number of at least 0, not inf"),
    ]:
        with pytest.raises(UserError, match=words):
            drawing.check(model)
    unguided = Generator(model.config.model_copy(update={"guidance": False}))
    with pytest.raises(UserError, match="labels were withheld"):
        Drawing(guidance=2.0).check(unguided)
    with pytest.raises(UserError, match="ddim and ddpm"):
        Drawing(solver="euler").check(make("pixels, joint, diffusion"))
    with pytest.raises(UserError, match="label 'zeros' is not known; known: zero, one"):
        model.label_ids(["zeros"])


def make_told(**values) -> Generator:
    torch.manual_seed(0)
    sizes = {"width": 16, "layers": 1, "heads": 2, "tokenizer": PATCHES, "order": {"kind": "joint"}, "head": FLOW}
    model = Generator(make_config(GeneratorConfig, {**sizes, **values}))
    for weight in model.parameters():
        if weight.requires_grad and weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


def test_captions_are_words_whose_number_does_not_matter() -> None:
    """CAPTIONED: a caption alone, and padded beside a longer one, are the same to the model; order and words count."""
    model = make_told(captions=True, labels=["cat", "face", "red", "smiling"])
    words = model.label_ids(["Cat-face", "smiling red cat face"])
    assert words.tolist() == [[0, 1, 4, 4], [3, 2, 0, 1]]
    condition = model.condition(words, torch.zeros(2))
    torch.testing.assert_close(condition[:1], model.condition(words[:1, :2], torch.zeros(1)))
    assert (condition[0] - condition[1]).abs().max() > 1e-3
    nothing = torch.full_like(words, model.nothing)
    empty = model.condition(nothing, torch.zeros(2))
    torch.testing.assert_close(empty[0], empty[1])
    loss = model.losses(model.units_of(images(2)), words, generator())
    loss.backward()
    assert loss.isfinite() and model.label.word.weight.grad is not None
    drawn = draw_images(model, words, Drawing(guidance=2.0, steps=2), generator())
    assert drawn.shape == (2, 1, SIDE, SIDE)
    with pytest.raises(UserError, match="the word 'faces' is not known; did you mean 'face'"):
        model.label_ids(["cat faces"])
    with pytest.raises(UserError, match="has no words; known: cat, face, red, smiling"):
        model.label_ids(["?"])


@pytest.mark.parametrize("order", ["joint", "masked", "raster"])
def test_a_small_picture_becomes_part_of_the_large_one(order: str) -> None:
    model = make_told(
        order={"kind": order, **({"choice": "random"} if order == "masked" else {})}, small=2, labels=["a"]
    )
    labels, drawing = torch.zeros(2, dtype=torch.long), Drawing(guidance=2.0, steps=2)
    small = torch.rand(2, 1, 2, 2, generator=generator())
    loss = model.losses(model.units_of(images(2)), labels, generator(), small)
    loss.backward()
    assert loss.isfinite() and model.small.embed.weight.grad.abs().max() > 0
    one, other = (draw_images(model, labels, drawing, generator(), picture) for picture in (small, -small))
    assert (one - other).abs().max() > 1e-3
    with pytest.raises(UserError, match="enlarges pictures of 2 pixels; name the model that draws them with --small"):
        draw_images(model, labels, drawing, generator())
    with pytest.raises(UserError, match="leave out --small"):
        draw_images(make_told(labels=["a"]), labels, drawing, generator(), small)


def test_small_pictures_need_places() -> None:
    with pytest.raises(UserError, match="place by place"):
        make_told(tokenizer=VAE, order=NEXT_SCALE, small=2)
    for small in (3, 8, 16):
        with pytest.raises(UserError, match=f"small: pictures of {small} pixels cannot be enlarged to 8; .* such as 4"):
            make_told(small=small)
    with pytest.raises(UserError, match="pixelrnn sees what is above and left in a picture"):
        make_told(tokenizer=VQ, order={"kind": "masked"}, head=CATEGORICAL, backbone="pixelrnn")
