"""Sets of labelled clips, kept like images; and clips of moving digits, made from pictures of digits and a seed."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from speechgen.data.image_corpora import digits, mnist
from speechgen.data.images import Images
from speechgen.errors import UserError, nearest

FRAMES, SIDE = 8, 32
SPEEDS = 1.0, 2.5  # pixels a frame, slowest and fastest
PER_SPLIT = {"train": 8000, "dev": 500, "test": 1000}  # clips


@dataclass(frozen=True)
class Clips(Images):
    """``pixels`` (N, T, H, W, C) uint8; ``labels``, ``names`` and ``source`` as of images."""

    FILE: ClassVar[str] = "clips.npz"
    AXES: ClassVar[str] = "N, T, H, W"
    PREPARE: ClassVar[str] = "speechgen video prepare"

    def resized(self, side: int, channels: int) -> "Clips":
        """Every frame at side x side pixels, in grey (1) or colours (3)."""
        count, frames = self.pixels.shape[:2]
        flat = Images(self.pixels.reshape(-1, *self.pixels.shape[2:]), self.labels, self.names, self.source)
        pixels = flat.resized(side, channels).pixels
        return Clips(pixels.reshape(count, frames, side, side, channels), self.labels, self.names, self.source)


def moving_digits(pictures: Images, count: int, seed: int, frames: int = FRAMES, side: int = SIDE) -> Clips:
    """``count`` clips of one digit each, which goes straight on and is thrown back by the edges (after Srivastava et
    al. 2015, who have two). The same seed makes the same clips. Raises UserError for digits larger than the frame."""
    height, width = pictures.pixels.shape[1:3]
    if max(height, width) > side:
        raise UserError(f"digits of {width} x {height} pixels do not fit into frames of {side} x {side}")
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(pictures))[np.arange(count) % len(pictures)]
    room = np.array([side - height, side - width], float)
    place = random.uniform(0, room, (count, 2))
    angle, speed = random.uniform(0, 2 * np.pi, count), random.uniform(*SPEEDS, count)
    velocity = speed[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    clips = np.zeros((count, frames, side, side, 1), np.uint8)
    for frame in range(frames):
        way = (place + frame * velocity) % np.maximum(2 * room, 1e-9)
        corners = np.minimum(way, 2 * room - way).round().astype(int)  # there and back again
        for clip, (top, left) in enumerate(corners):
            clips[clip, frame, top : top + height, left : left + width] = pictures.pixels[chosen[clip]]
    return Clips(clips, pictures.labels[chosen], pictures.names, f"moving {pictures.source}")


def prepare_clips(name: str, corpus: Path | None, seed: int) -> dict[str, Clips]:
    """The splits of a corpus of clips; raises UserError for an unknown one, or one whose folder was not given."""
    names = ("moving-digits", "moving-mnist")
    if name not in names:
        raise UserError(f"no corpus of clips named {name!r}{nearest(name, names)}")
    if name == "moving-mnist" and corpus is None:
        raise UserError("moving-mnist: give the folder that holds mnist.npz with --corpus")
    splits = digits() if name == "moving-digits" else {split: _cropped(one) for split, one in mnist(corpus).items()}
    sizes = PER_SPLIT if name == "moving-mnist" else {split: 2 * len(one) for split, one in splits.items()}
    side = SIDE if name == "moving-mnist" else SIDE // 2
    return {
        split: moving_digits(one, sizes[split], seed + number, side=side)
        for number, (split, one) in enumerate(splits.items())
    }


def _cropped(pictures: Images) -> Images:
    """MNIST's digits without their margin: they fill 20 x 20 pixels in the middle of 28 x 28."""
    return Images(pictures.pixels[:, 4:-4, 4:-4], pictures.labels, pictures.names, pictures.source)
