"""The Play tab: what is shown step by step is what generation makes, in the order in which it makes it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from speechgen.audio.files import read_audio
from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.evaluation.images import Painter
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.load import save_model
from speechgen.serving.play import NOT_TOLD, Controls, Watcher, find_generators, order_map

STACK = {"width": 16, "blocks": 1, "window": 960}
RVQ = {"codebooks": 2, "codebook_size": 16, "code_width": 4}
CODEC = {"width": 8, "encoder": STACK, "decoder": STACK, "bottleneck": RVQ}
PIXELS = {"kind": "pixels", "side": 4, "levels": 4}
VAE = {"kind": "video-codec", "frames": 2, "side": 4, "width": 8, "latent": 4, "strides": [[1, 1]]}
SYSTEMS = {
    "raster": {"tokenizer": PIXELS},
    "maskgit": {"tokenizer": PIXELS, "order": {"kind": "masked", "steps": 4}},
    "valle": {
        "kind": "sound", "tokenizer": {"kind": "sounds", "codec": CODEC, "unit": "codes", "codebooks": 2, "frames": 6},
        "order": {"kind": "levels"},
    },
    "dalle": {"tokenizer": PIXELS, "labels": ["cat", "face"], "captions": True, "guidance": False},
    "muse": {"tokenizer": PIXELS, "small": 2},
    "nova": {
        "kind": "video", "tokenizer": {**VAE, "bottleneck": {"kind": "vae"}}, "order": {"kind": "frames", "steps": 2},
        "head": {"kind": "flow", "width": 8, "blocks": 1},
    },
}  # fmt: skip


def save(folder: Path, values: dict) -> None:
    config = make_config(GeneratorConfig, values)
    save_model(folder, config, Generator(config), f"# {folder.name}\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A packed model of each system, with random weights."""
    folder = tmp_path_factory.mktemp("play")
    for name, values in SYSTEMS.items():
        torch.manual_seed(0)
        sizes = {"width": 16, "layers": 1, "heads": 2, "labels": ["a", "b"]}
        save(folder / "exp" / name / "packed", {**sizes, **values})
    save(folder / "exp/small/muse", {**sizes, "tokenizer": {**PIXELS, "side": 2}})
    (folder / "files").mkdir()
    return folder


@pytest.fixture(scope="module")
def watcher(folder) -> Watcher:
    models = {name: folder / "exp" / name / "packed" for name in SYSTEMS}
    return Watcher(models, folder / "files")


@pytest.mark.parametrize("name", ["raster", "maskgit", "valle", "nova"])
def test_every_kind_is_watched_to_its_end(name: str, watcher: Watcher) -> None:
    assert watcher.controls(name).labels == ["a", "b", NOT_TOLD]
    *_, last = watcher.watch(name, "b", Drawing(), 3)
    model = watcher.load(name)
    assert last.report.endswith("seed 3") and len(last.steps) > 1 and last.steps[0][1] == "step 1"
    assert all(path.read_bytes()[1:4] == b"PNG" for path in (last.canvas, last.order, last.steps[0][0]))
    made = draw_images(model, model.label_ids(["b"]), Drawing(), torch.Generator().manual_seed(3))
    if model.config.kind == "sound":
        assert torch.allclose(read_audio(last.sound)[0], made[0, 0], atol=1e-4) and last.sound.name == "b-3.wav"
    elif model.config.kind == "video":
        with Image.open(last.moving) as moving:
            assert moving.n_frames == 2
    else:
        shown = np.asarray(Image.open(last.canvas))
        scale = shown.shape[0] // 4
        assert np.abs(shown[::scale, ::scale, 0] - (made[0, 0].numpy() + 1) * 127.5).max() < 1


def test_the_map_tells_the_order(watcher: Watcher) -> None:
    model = watcher.load("raster")
    colours = order_map(model, torch.arange(1, 17)[None], 16).reshape(16, 3)
    assert len({tuple(colour) for colour in colours.tolist()}) == 16
    assert colours[0].tolist() == [68, 1, 84] and colours[15].tolist() == [253, 231, 37]
    half = order_map(model, torch.tensor([[1] * 8 + [0] * 8]), 8)
    assert (half[:2] == [68, 1, 84]).all() and not half[2:].any()
    *_, last = watcher.watch("raster", "a", Drawing(), 0)
    shown = np.asarray(Image.open(last.order))
    scale = shown.shape[0] // 4
    assert np.array_equal(shown[scale // 2 :: scale, scale // 2 :: scale].reshape(16, 3), colours)


def test_generators_are_found_by_path(folder: Path) -> None:
    found = find_generators([folder / "exp"])
    packed = {name: folder / "exp" / name / "packed" for name in SYSTEMS}  # without their runs: they stand for them
    assert found == {**packed, "small/muse": folder / "exp/small/muse"}
    assert find_generators([packed["nova"], folder / "exp/nova"]) == {"nova": packed["nova"]}
    (folder / "empty").mkdir(exist_ok=True)
    with pytest.raises(UserError, match="holds no generator"):
        find_generators([folder / "empty"])


def test_a_packed_copy_is_left_out_beside_its_run(tmp_path: Path) -> None:
    sizes = {"width": 16, "layers": 1, "heads": 2, "labels": ["a", "b"], "tokenizer": PIXELS}
    for place in ("one/exp/image", "one/exp/image/packed", "two/exp/image"):
        save(tmp_path / place, sizes)
    one, two = tmp_path / "one/exp", tmp_path / "two/exp"
    assert find_generators([one]) == {"image": one / "image"}
    assert find_generators([one, one / "image", two]) == {"image": one / "image", "exp/image": two / "image"}


@pytest.mark.parametrize("label", ["b", NOT_TOLD])
def test_a_small_picture_is_drawn_and_enlarged(label: str, watcher: Watcher, folder: Path) -> None:
    *_, last = watcher.watch("muse", label, Drawing(guidance=2.0), 3)
    assert [said for _, said in last.steps[:2]] == ["small picture", "step 1"]
    if label == NOT_TOLD:
        return
    painter = Painter(folder / "exp/muse/packed", folder / "exp/small/muse")
    made = painter.draw([label], Drawing(guidance=2.0), torch.Generator().manual_seed(3))
    shown = np.asarray(Image.open(last.canvas))
    scale = shown.shape[0] // 4
    assert np.abs(shown[::scale, ::scale, 0] - (made[0, 0].numpy() + 1) * 127.5).max() < 1


def test_a_missing_small_model_is_named(tmp_path: Path) -> None:
    sizes = {"width": 16, "layers": 1, "heads": 2, "labels": ["a", "b"]}
    save(tmp_path / "exp/muse", {**sizes, "tokenizer": PIXELS, "small": 2})
    watcher = Watcher(find_generators([tmp_path / "exp"]), tmp_path)
    with pytest.raises(UserError, match="muse enlarges pictures of 2 pixels, .*/exp/small/muse; train it with"):
        next(watcher.watch("muse", "a", Drawing(), 0))
    save(tmp_path / "exp/small/muse/packed", {**sizes, "tokenizer": PIXELS})
    with pytest.raises(UserError, match="makes pictures of 4 pixels, but muse enlarges 2"):
        next(watcher.watch("muse", "a", Drawing(), 0))


def test_a_caption_of_several_words_is_drawn(watcher: Watcher) -> None:
    *_, last = watcher.watch("dalle", "cat face", Drawing(), 0)
    assert last.report == "16 units in 16 steps, seed 0"
    with pytest.raises(UserError, match="the word 'fase' is not known; did you mean 'face'"):
        next(watcher.watch("dalle", "cat fase", Drawing(), 0))


def test_controls_are_those_that_a_model_has(watcher: Watcher) -> None:
    labels = ["a", "b", NOT_TOLD]
    words = ["cat", "face", NOT_TOLD]
    flow = ["euler", "midpoint"]
    assert watcher.controls("raster") == Controls(labels, False, True, False, False, [])
    assert watcher.controls("maskgit") == Controls(labels, False, True, False, True, [])
    assert watcher.controls("nova") == Controls(labels, False, True, True, True, flow)
    assert watcher.controls("dalle") == Controls(words, True, False, False, False, [])
    *_, last = watcher.watch("maskgit", "a", Drawing(order_steps=2), 0)
    assert last.report == "16 units in 2 steps, seed 0"


def test_what_cannot_be_is_told(watcher: Watcher) -> None:
    for words, name, label, drawing in [
        ("no generator named 'vale'; did you mean 'valle'", "vale", "a", Drawing()),
        ("label 'c' is not known; known: a, b", "raster", "c", Drawing()),
        ("draws in one pass", "raster", "a", Drawing(steps=3)),
        ("at least 1", "nova", "a", Drawing(steps=0)),
    ]:
        with pytest.raises(UserError, match=words):
            next(watcher.watch(name, label, drawing, 0))
