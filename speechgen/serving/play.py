"""Watching a generator: which unit appears when, and what the canvas looks like after each step."""

import math
import os
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image
from torch import Tensor

from speechgen.audio.files import write_audio
from speechgen.errors import UserError, nearest
from speechgen.evaluation.clip_sets import write_gif
from speechgen.evaluation.images import load_small
from speechgen.models.draw import SOLVERS, Drawing, draw_images, draw_units
from speechgen.models.generator import Generator
from speechgen.models.load import PRETRAINED, folder_of, load, shipped
from speechgen.models.one_shot import OneShot
from speechgen.training.images import sheet

KINDS = ("image", "sound", "video")
NOT_TOLD = "(not told)"
PACKED = "packed"  # where recipes put a copy of a run, inside its folder
EVERY = 0.3  # seconds between two pictures while it goes on
KEPT = 24  # pictures of steps at the end
WIDE, LOW = 640, 64  # pixels of a picture: its width, about, and its least height
PALETTE = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], float)  # viridis


@dataclass(frozen=True)
class Seen:
    """What to show after a step: the canvas, and the map of when each unit appeared; at the end a sound or a moving
    picture, and the canvas at steps along the way."""

    report: str
    canvas: Path
    order: Path
    sound: Path | None = None
    moving: Path | None = None
    steps: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Controls:
    """What there is to choose of a model: labels that it can be told, or words of ``captions``; whether it takes
    guidance, steps and ``order_steps``; its solvers."""

    labels: list[str]
    captions: bool
    guidance: bool
    steps: bool
    order_steps: bool
    solvers: list[str]


class Watcher:
    """Draws from generators by name; pictures go into files in ``folder``."""

    def __init__(self, models: dict[str, Path], folder: Path):
        self.models, self.folder = models, folder
        self.load = lru_cache(maxsize=3)(self._load)
        self.small = lru_cache(maxsize=3)(self._load_small)

    def controls(self, name: str) -> Controls:
        """What can be chosen of a model."""
        model = self.load(name)
        known = [solver for some in SOLVERS.values() for solver in some]
        return Controls(
            [*model.config.labels, NOT_TOLD], model.config.captions, Drawing(guidance=2.0).fits(model),
            Drawing(steps=1).fits(model), Drawing(order_steps=1).fits(model),
            [solver for solver in known if Drawing(solver=solver).fits(model)],
        )  # fmt: skip

    def watch(self, name: str, label: str, drawing: Drawing, seed: int) -> Iterator[Seen]:
        """Draw one signal, telling several times a second how far it is; of a model that enlarges small pictures, one
        that the model in ``small/NAME`` beside it draws first. Raises UserError for what cannot be."""
        model, generator = self.load(name), torch.Generator().manual_seed(seed)
        labels = self._told(model, label)
        drawing.check(model)
        small = None
        if model.config.small:
            first, plain = self.small(name), Drawing(drawing.guidance, drawing.temperature)
            small = draw_images(first, self._told(first, label), plain, generator)
        place = self.folder / uuid.uuid4().hex
        place.mkdir()
        taken, appeared, shown = [], None, 0.0
        for units in draw_units(model, labels, drawing, generator, small):
            new = self._known(model, units[0])
            before = torch.zeros_like(new, dtype=torch.long) if appeared is None else appeared
            appeared = torch.where((before == 0) & new, len(taken) + 1, before)
            taken.append(units)
            if time.monotonic() - shown > EVERY:
                shown = time.monotonic()
                yield self._seen(model, place, units, appeared, len(taken), f"step {len(taken)}")
        chosen = np.unique(np.linspace(0, len(taken) - 1, min(KEPT, len(taken))).round().astype(int)).tolist()
        steps = [(self._canvas(model, place, taken[one], f"step-{one + 1}"), f"step {one + 1}") for one in chosen]
        if small is not None:
            steps.insert(0, (_save(place / "small.png", sheet(small, 1)), "small picture"))
        report = f"{appeared.numel()} units in {len(taken)} steps, seed {seed}"
        last = self._seen(model, place, taken[-1], appeared, len(taken), report)
        signal, sound, moving = model.images_of(taken[-1]), None, None
        if model.config.kind == "sound":
            named = re.sub(r"\W+", "-", label).strip("-")
            sound = place / f"{named}-{seed}.wav"
            write_audio(sound, signal[0, 0], model.tokenizer.codec.sample_rate)
        elif model.config.kind == "video":
            moving = place / "clip.gif"
            write_gif(moving, signal, 1)
        yield Seen(report, last.canvas, last.order, sound, moving, tuple(steps))

    def _load(self, name: str) -> Generator:
        if name not in self.models:
            raise UserError(f"no generator named {name!r}{nearest(name, self.models)}")
        return load(self.models[name])

    def _load_small(self, name: str) -> Generator | OneShot:
        """The model of the pictures that another enlarges."""
        place = small_of(self.models[name])
        if _kind(place) is None:
            side = self.load(name).config.small
            raise UserError(
                f"{name} enlarges pictures of {side} pixels, and no run that draws them lies in {place}; train it with "
                f"the recipe's --small conf/small/{place.name}.yaml"
            )
        return load_small(place, self.load(name), name)

    @staticmethod
    def _told(model: Generator | OneShot, label: str) -> Tensor:
        """The number of a label (1,), or those of a caption's words (1, W)."""
        if label != NOT_TOLD:
            return model.label_ids([label])
        names = model.config.labels[:1]
        return torch.full_like(model.label_ids(names) if names else torch.zeros(1).long(), model.nothing)

    def _seen(self, model: Generator, place: Path, units: Tensor, appeared: Tensor, step: int, report: str) -> Seen:
        order = _save(place / f"order-{step}.png", order_map(model, appeared, step))
        return Seen(report, self._canvas(model, place, units, f"canvas-{step}"), order)

    @staticmethod
    def _canvas(model: Generator, place: Path, units: Tensor, name: str) -> Path:
        """The signal as far as it is there; of sounds, their units: what a place lacks is dark."""
        if model.config.kind == "sound":
            return _save(place / f"{name}.png", _coloured(_levels(model, units[0])))
        picture = sheet(model.images_of(units), 1)
        return _save(place / f"{name}.png", picture)

    @staticmethod
    def _known(model: Generator, units: Tensor) -> Tensor:
        """Which units (K, S) of codes, or (1, S) of latents, there are."""
        if model.tokenizer.codebooks:
            return units >= 0
        return ((units - model.mean).abs() > 1e-6).any(0, keepdim=True)


def find_generators(places: list[Path]) -> dict[str, Path]:
    """Shipped generators, and those in folders: each a model, a run, or a folder that holds some, at most two deep. A
    run's packed copy is left out beside it; names are those of the folders, as much of their paths as tells them apart.

    Raises UserError for a folder that holds none.
    """
    found = {name: PRETRAINED / name for name in shipped() if _kind(PRETRAINED / name) in KINDS}
    for place in places:
        place = folder_of(place)
        here = [place] if _kind(place) in KINDS else []
        inside = [path.parent for depth in ("*", "*/*") for path in place.glob(f"{depth}/config.yaml")]
        here += [folder for folder in inside if _kind(folder) in KINDS and not here]
        if not here:
            raise UserError(f"--play {place}: holds no generator of images, sounds or clips; train one of egs first")
        known = {folder.resolve() for folder in found.values()}
        for folder in sorted(here, key=lambda folder: (len(folder.parts), folder)):
            copied = folder.name == PACKED and folder.parent in here
            if copied or folder.resolve() in known:
                continue
            parts = _run_of(folder).parts
            names = ["/".join(parts[-count:]) for count in range(1, len(parts))]
            found[next((name for name in names if name not in found), str(folder))] = folder
    return found


def small_of(folder: Path) -> Path:
    """Where the run, or its packed copy, lies whose pictures the model in a folder enlarges: ``small/NAME`` beside."""
    run = _run_of(folder)
    place = run.parent / "small" / run.name
    return place if _kind(place) else next((packed for packed in [place / PACKED] if _kind(packed)), place)


def _run_of(folder: Path) -> Path:
    """The folder itself, or the one of the run that was packed into it."""
    folder = Path(os.path.abspath(folder))
    return folder.parent if folder.name == PACKED else folder


def order_map(model: Generator, appeared: Tensor, steps: int) -> np.ndarray:
    """When each unit (K, S) appeared, the first dark and the last bright, black where none is: (H, W, 3).

    Units lie as on the grid: a row for sounds (a line for each codebook), a picture, frames side by side; scales from
    the smallest to the largest.
    """
    shares = torch.where(appeared > 0, (appeared - 1) / max(1, steps - 1), torch.full_like(appeared, -1.0).float())
    sides = model.tokenizer.sides
    if model.config.kind == "sound":
        return _coloured(shares.numpy())
    first = shares.amax(0)
    if model.config.order.kind == "next_scale":
        side = model.order.scales[-1]
        parts = [part[0].numpy() for part in model.order.split(first[None, None])]
        grown = [np.kron(part[0], np.ones((math.ceil(side / len(part[0])),) * 2))[:side, :side] for part in parts]
        return _coloured(_beside(grown))
    if len(sides) == 3:
        return _coloured(_beside(list(first.view(*sides).numpy())))
    return _coloured(first.view(*sides[-2:]).numpy() if len(sides) == 2 else first[None].numpy())


def _levels(model: Generator, units: Tensor) -> np.ndarray:
    """Units (K | D, S) of a sound as shares (K | D, S): of the codebook, or of four deviations about the mean."""
    if model.tokenizer.codebooks:
        return (units / max(1, model.tokenizer.codebook_size - 1)).numpy()
    known = Watcher._known(model, units)
    shares = ((units - model.mean) / model.deviation / 4 + 0.5).clamp(0, 1)
    return torch.where(known, shares, -torch.ones_like(shares)).numpy()


def _coloured(shares: np.ndarray) -> np.ndarray:
    """Shares (H, W) in [0, 1] in colours, black below 0: uint8 (H, W, 3)."""
    at = np.clip(shares, 0, 1) * (len(PALETTE) - 1)
    low = np.minimum(at.astype(int), len(PALETTE) - 2)
    colours = PALETTE[low] + (PALETTE[low + 1] - PALETTE[low]) * (at - low)[..., None]
    return np.where(shares[..., None] < 0, 0, colours).round().astype(np.uint8)


def _beside(parts: list[np.ndarray]) -> np.ndarray:
    """Maps of one height side by side, a dark line apart."""
    gap = np.full((parts[0].shape[0], 1), -1.0)
    return np.concatenate([part for one in parts for part in (one, gap)][:-1], axis=1)


def _save(path: Path, pixels: np.ndarray) -> Path:
    """Write pixels (H, W, 3), enlarged so that each can be seen."""
    scale = max(1, WIDE // pixels.shape[1])
    tall = max(scale, math.ceil(LOW / pixels.shape[0]))  # a single row would be a thread
    size = (pixels.shape[1] * scale, pixels.shape[0] * tall)
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(path, format="PNG")
    return path


def _kind(folder: Path) -> str | None:
    """The kind of a model or a run, if the folder is one that can be loaded."""
    try:
        values = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    whole = (folder / "model.safetensors").exists() or (folder / "checkpoints").exists()
    return values.get("kind") if isinstance(values, dict) and whole else None
