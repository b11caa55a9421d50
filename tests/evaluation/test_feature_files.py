"""Frechet distances by a network of a file: what it is given, what it may return, and what is wrong with others."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.evaluation.distances import frechet_distance
from speechgen.evaluation.feature_files import FeatureFile


class Plain(nn.Module):
    """Any signals to (N, D), each its own values."""

    def forward(self, signals: Tensor) -> Tensor:
        return signals.float().flatten(1)


class Clips(nn.Module):
    """As the networks of clips have it."""

    def forward(
        self, clips: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        assert rescale and resize and return_features
        return clips.float().mean((3, 4)).flatten(1)


class Pair(nn.Module):
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second


class Whole(nn.Module):
    def forward(self, signals: Tensor) -> Tensor:
        return signals.float().mean()


class Endless(nn.Module):
    def forward(self, signals: Tensor) -> Tensor:
        return signals.float().flatten(1) / 0


def saved(network: nn.Module, folder: Path) -> Path:
    torch.jit.script(network).save(folder / "network.pt")
    return folder / "network.pt"


def test_pictures_are_whole_numbers_in_three_channels(tmp_path: Path) -> None:
    file = FeatureFile(saved(Plain(), tmp_path), "images")
    grey = file.features(torch.tensor([-1.0, 1.0, 0.0, 0.5]).view(1, 1, 2, 2))
    assert grey.tolist() == [3 * [0, 255, 128, 191]]
    coloured = file.features(torch.linspace(-1, 1, 12).view(1, 3, 2, 2))
    assert coloured[0].tolist() == (torch.linspace(0, 255, 12)).round().tolist()


def test_clips_ask_for_features(tmp_path: Path) -> None:
    assert FeatureFile(saved(Clips(), tmp_path), "clips").features(torch.zeros(40, 1, 5, 4, 4)).shape == (40, 15)


def test_sounds_come_at_16_khz(tmp_path: Path) -> None:
    file = FeatureFile(saved(Plain(), tmp_path), "sounds")
    assert file.features(torch.zeros(3, 1, 240), 24000).shape == (3, 160)
    wave = torch.rand(3, 1, 50)
    assert file.features(3 * wave).max() == 1
    assert torch.equal(file.features(wave), wave[:, 0])


def test_distances_are_those_of_the_features(tmp_path: Path) -> None:
    file, draw = FeatureFile(saved(Plain(), tmp_path), "sounds"), torch.Generator().manual_seed(0)
    near, far = torch.rand(50, 1, 6, generator=draw), torch.rand(40, 1, 6, generator=draw).square()
    report = {"judged": [{"name": "far"}, {"name": "same"}]}
    file.add_distances(report, {"same": (near, torch.zeros(50)), "far": (far, torch.zeros(40))}, near)
    distances = [row["frechet_by_file"] for row in report["judged"]]
    assert distances[0] == frechet_distance(far[:, 0], near[:, 0]) > 0.01 > 1e-6 > distances[1]
    assert report["features"] == "network.pt"


@pytest.mark.parametrize(
    ("network", "what", "words"),
    [
        (Pair(), "images", "does not take uint8 images"),
        (Pair(), "sounds", "does not take float waves"),
        (Whole(), "images", r"returns a tensor of \(\) for 2 images, not features \(N, D\)"),
        (Endless(), "images", "not finite"),
    ],
)
def test_other_networks_are_refused(network: nn.Module, what: str, words: str, tmp_path: Path) -> None:
    file = FeatureFile(saved(network, tmp_path), what)
    shape = (2, 1, 8) if what == "sounds" else (2, 1, 4, 4)
    with pytest.raises(UserError, match=words) as told:
        file.features(torch.zeros(shape))
    assert len(str(told.value).splitlines()) == 1


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(2)}, tmp_path / "weights.pt")
    for name in ("weights.pt", "missing.pt"):
        with pytest.raises(UserError, match=f"{name}: no TorchScript file"):
            FeatureFile(tmp_path / name, "images")
