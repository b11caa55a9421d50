"""The Play tab: what is shown step by step is what generation makes, in the order in which it makes it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from speechgen.audio.files import read_audio
from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.load import save_model
from speechgen.serving.play import NOT_TOLD, Watcher, find_generators, order_map

STACK = {"width": 16, "blocks": 1, "window": 960}
RVQ = {"codebooks": 2, "codebook_size": 16, "code_width": 4}
CODEC = {"width": 8, "encoder": STACK, "decoder": STACK, "bottleneck": RVQ}
PIXELS = {"kind": "pixels", "side": 4, "levels": 4}
VAE = {"kind": "video-codec", "frames": 2, "side": 4, "width": 8, "latent": 4, "strides": [[1, 2]]}
SYSTEMS = {
    "raster": {"tokenizer": PIXELS},
    "maskgit": {"tokenizer": PIXELS, "order": {"kind": "masked", "steps": 4}},
    "valle": {
        "kind": "sound", "tokenizer": {"kind": "sounds", "codec": CODEC, "unit": "codes", "codebooks": 2, "frames": 6},
        "order": {"kind": "levels"},
    },
    "nova": {
        "kind": "video", "tokenizer": {**VAE, "bottleneck": {"kind": "vae"}}, "order": {"kind": "frames", "steps": 2},
        "head": {"kind": "flow", "width": 8, "blocks": 1},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A packed model of each system, with random weights."""
    folder = tmp_path_factory.mktemp("play")
    for name, values in SYSTEMS.items():
        torch.manual_seed(0)
        sizes = {"width": 16, "layers": 1, "heads": 2, "labels": ["a", "b"]}
        config = make_config(GeneratorConfig, {**values, **sizes})
        save_model(folder / "exp" / name / "packed", config, Generator(config), f"# {name}\n")
    (folder / "files").mkdir()
    return folder


@pytest.fixture(scope="module")
def watcher(folder) -> Watcher:
    models = {name: folder / "exp" / name / "packed" for name in SYSTEMS}
    return Watcher(models, folder / "files")


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_kind_is_watched_to_its_end(name: str, watcher: Watcher) -> None:
    assert watcher.labels(name) == ["a", "b", NOT_TOLD]
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
    assert {str(folder / "exp" / name / "packed") in map(str, found.values()) for name in SYSTEMS} == {True}
    one = find_generators([folder / "exp/nova/packed"])
    assert folder / "exp/nova/packed" in one.values()
    (folder / "empty").mkdir(exist_ok=True)
    with pytest.raises(UserError, match="holds no generator"):
        find_generators([folder / "empty"])


def test_what_cannot_be_is_told(watcher: Watcher) -> None:
    for words, name, label, drawing in [
        ("no generator named 'vale'; did you mean 'valle'", "vale", "a", Drawing()),
        ("label 'c' is not known; known: a, b", "raster", "c", Drawing()),
        ("draws in one pass", "raster", "a", Drawing(steps=3)),
        ("at least 1", "nova", "a", Drawing(steps=0)),
    ]:
        with pytest.raises(UserError, match=words):
            next(watcher.watch(name, label, drawing, 0))
