"""Orders that go through groups of units: what generation sees is what training showed, and nothing to come."""

import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.draw import Drawing, draw_units
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.orders.frames import Frames, FramesConfig
from speechgen.orders.levels import Levels, LevelsConfig
from speechgen.orders.masked import Masked, MaskedConfig, hidden_share

BOOKS, SIZE, POSITIONS = 3, 16, 12
STACK = {"width": 16, "blocks": 1, "window": 960}
CODEC = {
    "width": 8, "encoder": STACK, "decoder": STACK,
    "bottleneck": {"codebooks": BOOKS, "codebook_size": SIZE, "code_width": 4},
}  # fmt: skip
SOUNDS = {"kind": "sounds", "codec": CODEC, "frames": POSITIONS}
CODES, LATENTS = {**SOUNDS, "unit": "codes", "codebooks": BOOKS}, {**SOUNDS, "patch": 2}
CLIPS = {"kind": "video-codec", "frames": 3, "side": 4, "width": 8, "latent": 4, "strides": [[1, 1]]}
VAE = {**CLIPS, "bottleneck": {"kind": "vae"}}
FLOW = {"kind": "flow", "width": 8, "blocks": 1}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(kind: str, tokenizer: dict, order: dict, head: dict | None = None, **more) -> Generator:
    torch.manual_seed(0)
    values = {"kind": kind, "tokenizer": tokenizer, "order": order, "head": head or {"kind": "categorical"}}
    sizes = {"width": 16, "layers": 2, "heads": 2, "labels": ["zero", "one"], **more}
    model = Generator(make_config(GeneratorConfig, {**values, **sizes}))
    for weight in model.parameters():
        if weight.requires_grad and weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


def codes(count: int = 4) -> torch.Tensor:
    return torch.randint(SIZE, (count, BOOKS, POSITIONS), generator=generator())


@pytest.mark.parametrize("first", ["raster", "masked"])
def test_a_level_is_shown_those_before_it_and_no_other(first: str) -> None:
    order = Levels(LevelsConfig(first=first, steps=(4,)), BOOKS, SIZE)
    for level in range(BOOKS):
        view = order.view_of(codes(), level, generator())
        assert view.drawn[..., level].any() and view.drawn.sum() == view.drawn[..., level].sum()
        assert (view.inputs[..., level + 1 :] == SIZE).all() and (view.time == level / BOOKS).all()
        if level or first == "masked":
            assert torch.equal(view.inputs[..., :level], view.target[..., :level])
            hidden = view.drawn[..., level]
            assert (view.inputs[..., level][hidden] == SIZE).all() and not (
                view.inputs[..., level][~hidden] == SIZE
            ).any()
    levels = {int((order.view(codes(), generator(seed)).time[0] * BOOKS).round()) for seed in range(30)}
    assert levels == set(range(BOOKS))


def test_the_first_level_with_its_cache_and_the_others_see_what_training_showed() -> None:
    """Drawn greedily, each code is the likeliest one in the view that training makes of the finished codes."""
    model, labels = make("sound", CODES, {"kind": "levels"}), torch.tensor([0, 1])
    *_, units = draw_units(model, labels, Drawing(temperature=0.0), generator())
    for level in range(BOOKS):
        view = model.order.view_of(units, level, generator())
        z = model.look(model.embed(view.inputs, view.blank), model.condition(labels, view.time), view.visible)
        likeliest = model.head.logits(z.flatten(0, 1)).argmax(-1)[:, level].view(2, -1)
        assert torch.equal(likeliest, units[:, level])


def test_levels_hide_spans_and_the_later_ones_look_only_so_far() -> None:
    order = Levels(LevelsConfig(first="masked", steps=(4, 2), span=3, context=2), BOOKS, SIZE)
    for level in range(BOOKS):
        view = order.view_of(codes(), level, generator())
        assert torch.equal(view.drawn[..., level], hidden_share(4, 4, generator()).repeat_interleave(3, dim=1))
        seen = view.visible.sum(1).tolist()
        assert seen == ([POSITIONS] * POSITIONS if level == 0 else [3, 4] + [5] * 8 + [4, 3])
        assert torch.equal(view.visible, order.visible(level, POSITIONS))


def test_a_later_level_sees_in_generation_what_training_showed() -> None:
    """The surest span of level 1, drawn greedily, is the likeliest one in the view that training makes of it."""
    config = {"kind": "levels", "first": "masked", "steps": [4], "span": 3, "context": 2}
    model, labels = make("sound", CODES, config), torch.tensor([0, 1])
    steps = list(draw_units(model, labels, Drawing(temperature=0.0), generator()))
    assert [(units >= 0).sum((0, 2)).tolist() for units in steps[:5]] == [
        *([6 * count, 0, 0] for count in (1, 2, 3, 4)), [24, 6, 0],
    ]  # fmt: skip
    before, after = (steps[at].masked_fill(steps[at] < 0, SIZE).transpose(1, 2) for at in (3, 4))
    condition = model.condition(labels, torch.full((2,), 1 / BOOKS))
    blank = torch.zeros(2, POSITIONS, dtype=torch.bool)
    z = model.look(model.embed(before, blank), condition, model.order.visible(1, POSITIONS))
    likeliest, new = model.head.logits(z.flatten(0, 1)).argmax(-1)[:, 1].view(2, -1), after[..., 1] < SIZE
    assert torch.equal(likeliest[new], after[..., 1][new])


def test_levels_appear_one_after_another() -> None:
    model = make("sound", CODES, {"kind": "levels", "first": "masked", "steps": [3, 2]})
    known = [
        (units >= 0).sum((0, 2)).tolist() for units in draw_units(model, torch.tensor([0]), Drawing(), generator())
    ]
    assert len(known) == 3 + 2 + 2 and known[-1] == [POSITIONS] * BOOKS
    assert [one[1] for one in known[:3]] == [0, 0, 0] and known[2][0] == POSITIONS
    assert all(before <= after for one, two in zip(known, known[1:]) for before, after in zip(one, two))


def test_a_frame_sees_the_whole_frames_before_it_and_what_is_known_of_itself() -> None:
    order = Frames(FramesConfig(), count=3, each=2)
    visible = order.visible()
    seen = [set(row.nonzero().flatten().tolist()) for row in visible]
    assert seen[0] == {0, 1} and seen[4] == {0, 1, 2, 3, 4, 5}  # the whole clip
    assert seen[6] == {6, 7} and seen[8] == {0, 1, 8, 9} and seen[11] == {0, 1, 2, 3, 10, 11}  # with blanks
    model = make("video", VAE, {"kind": "frames", "steps": 2}, FLOW)
    units = torch.randn(1, 4, 12, generator=generator())
    view, condition = model.view(units, generator()), model.condition(torch.tensor([0]))
    x = model.embed(view.inputs, view.blank)
    z = model.look(x, condition, view.visible)
    for position in (12, 17, 23):
        changed = torch.where(view.visible[position][:, None], x, x + 1.0)
        torch.testing.assert_close(model.look(changed, condition, view.visible)[:, position], z[:, position])


def test_frames_are_drawn_in_their_order() -> None:
    model = make("video", VAE, {"kind": "frames", "steps": 2}, FLOW)
    steps = list(draw_units(model, torch.tensor([0]), Drawing(steps=2), generator()))
    known = [((units - model.mean).abs() > 0).any(1)[0].view(3, 4).sum(1).tolist() for units in steps]
    assert len(known) == 6 and known[1] == [4, 0, 0] and known[3] == [4, 4, 0] and known[5] == [4, 4, 4]
    assert torch.equal(steps[-1][..., :4], steps[1][..., :4])  # what is drawn stays


def test_padding_changes_nothing_where_lengths_are_predicted() -> None:
    """What training sees of a sound of 3 units among 6, generation sees of 3 alone."""
    model = make("sound", LATENTS, {"kind": "masked", "choice": "random", "length": "predicted"}, FLOW)
    units, lengths = torch.randn(2, 16, 6, generator=generator()), torch.tensor([3, 6])
    view, labels = model.view(units, generator(), lengths), torch.tensor([0, 1])
    assert not view.drawn[0, 3:].any() and view.real.sum(1).tolist() == [3, 6] and view.drawn[0, :3].any()
    z = model.look(model.embed(view.inputs, view.blank), model.condition(labels), None, view.real)
    alone = model.look(model.embed(view.inputs[:1, :3], view.blank[:1, :3]), model.condition(labels[:1]))
    torch.testing.assert_close(z[:1, :3], alone)
    assert model.losses(units, labels, generator(), lengths=lengths).isfinite()


def test_a_sound_ends_where_its_length_was_predicted_and_silence_follows() -> None:
    model = make("sound", LATENTS, {"kind": "masked", "choice": "random", "length": "predicted", "steps": 2}, FLOW)
    with torch.no_grad():
        model.length.weight.zero_()
        model.length.bias.fill_(-100.0)
        model.length.bias[3] = 0.0
    *_, units = draw_units(model, torch.tensor([0, 1]), Drawing(steps=2, guidance=1.5), generator())
    silence = model.tokenizer.silence()
    torch.testing.assert_close(units[:, :, 4:], silence[None, :, None].expand(2, -1, 2))
    assert ((units[:, :, :4] - silence[None, :, None]).abs().amax(1) > 1e-3).all()


def test_hidden_shares_of_rows_with_lengths() -> None:
    lengths = torch.tensor([1, 5, 8]).repeat(20)
    view = Masked(MaskedConfig(choice="random")).view(torch.zeros(60, 2, 8), generator(), lengths)
    hidden = view.drawn.squeeze(-1)
    assert (hidden.sum(1) >= 1).all() and (hidden.sum(1) <= lengths).all()
    assert not (hidden & (torch.arange(8) >= lengths[:, None])).any()


def test_a_prompt_is_continued_as_if_it_had_been_drawn() -> None:
    model, labels = make("sound", LATENTS, {"kind": "raster"}, FLOW), torch.tensor([0, 1])
    *_, whole = draw_units(model, labels, Drawing(steps=2, temperature=0.0), generator())
    *_, continued = draw_units(model, labels, Drawing(steps=2, temperature=0.0), generator(), prompt=whole[..., :3])
    torch.testing.assert_close(continued, whole)
    with pytest.raises(UserError, match="give fewer"):
        next(draw_units(model, labels, Drawing(), generator(), prompt=whole))
    with pytest.raises(UserError, match="use order: raster"):
        next(draw_units(make("sound", LATENTS, {"kind": "joint"}, FLOW), labels, Drawing(), generator(), prompt=whole))


def test_words_that_labels_share_are_shared() -> None:
    labels = ["arco a2", "pizz a2", "arco c1"]
    model = make("sound", LATENTS, {"kind": "joint"}, FLOW, labels=labels, told="words")
    arco, pizz, low, nothing = model.label(torch.arange(4))
    words = model.label.words
    assert words.shape[0] == 5 and torch.allclose(arco - pizz, words[1] - words[3]) and torch.equal(nothing, words[-1])
    assert torch.allclose(low, words[1] + words[2])


def test_what_cannot_be_is_refused() -> None:
    for kind, tokenizer, order, head, words in [
        ("sound", LATENTS, {"kind": "levels"}, None, "draws codes, but the units are continuous"),
        ("sound", LATENTS, {"kind": "levels"}, FLOW, "there are not several; use order: raster"),
        ("sound", CODES, {"kind": "levels"}, {"kind": "depth"}, "use head: categorical"),
        ("sound", CODES, {"kind": "levels", "span": 3}, None, "is of levels in masked steps"),
        ("sound", CODES, {"kind": "levels", "steps": [2], "span": 12}, None, "leaves one span of 12 positions"),
        ("sound", LATENTS, {"kind": "frames"}, FLOW, "a grid of three sides, such as clips have"),
        ("sound", LATENTS, {"kind": "next_scale"}, FLOW, "of clips and sounds it knows none"),
        ("sound", {**CODES, "codebooks": 9}, {"kind": "delay"}, None, "the codec has 3"),
        ("video", VAE, {"kind": "masked", "choice": "random", "length": "predicted"}, FLOW, "is for sounds"),
    ]:
        with pytest.raises(UserError, match=words):
            make(kind, tokenizer, order, head)
    with pytest.raises(UserError, match="patch joins latents"):
        make("sound", {**CODES, "patch": 2}, {"kind": "delay"})
    for backbone, words in [("space-time", "for clips"), ("pixelcnn", "for images"), ("video-pixels", "for clips")]:
        with pytest.raises(UserError, match=words):
            make("sound", LATENTS, {"kind": "joint"}, FLOW, backbone=backbone)
