"""How good generated clips of labels are: a classifier's verdict on them, on real ones, and on real ones that went
through the tokenizer."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.data.clips import Clips
from speechgen.data.folders import new_folder
from speechgen.errors import UserError
from speechgen.evaluation.feature_files import FeatureFile
from speechgen.evaluation.images import write_png
from speechgen.evaluation.judged import (
    generation_notes,
    judge_all,
    load_grid_generator,
    load_judge,
    through_tokenizer,
    write_judged,
)
from speechgen.evaluation.logs import read_json, write_json
from speechgen.models.classifier import VideoClassifier
from speechgen.models.draw import Drawing, draw_images
from speechgen.training.images import as_tensor, sheet

AT_ONCE = 50  # clips that are drawn together
MILLISECONDS = 120  # that a frame is shown
ENLARGED = 480  # pixels of width that a moving picture has at least


def write_gif(path: Path, clips: Tensor, columns: int) -> None:
    """Write clips (N, C, T, H, W) in [-1, 1] side by side as a moving picture, enlarged so that it can be seen."""
    from PIL import Image

    pages = [sheet(clips[:, :, frame], columns) for frame in range(clips.shape[2])]
    scale = max(1, ENLARGED // pages[0].shape[1])
    size = (pages[0].shape[1] * scale, pages[0].shape[0] * scale)
    first, *rest = [Image.fromarray(page).resize(size, Image.Resampling.NEAREST) for page in pages]
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=MILLISECONDS, loop=0)


def generate_set(model: str, each: int, out: Path, drawing: Drawing, seed: int, on_clips=lambda: None) -> None:
    """Draw ``each`` clips of every label into ``out``: made/, sheet.png, sheet.gif and generate.json; whole or not."""
    network = load_grid_generator(model, "video")
    generator, names = torch.Generator().manual_seed(seed), network.config.labels
    labels = torch.arange(len(names)).repeat(each)
    made, began = [], time.monotonic()
    for part in labels.split(AT_ONCE):
        made.append(draw_images(network, part, drawing, generator))
        on_clips()
    seconds, clips = time.monotonic() - began, torch.cat(made)
    with new_folder(out) as place:
        pixels = ((clips + 1) * 127.5).round().byte().movedim(1, -1).numpy()
        Clips(pixels, labels.numpy().astype(np.int64), names, "generated").write(place / "made")
        write_png(place / "sheet.png", sheet(clips[: len(names)], 1))
        write_gif(place / "sheet.gif", clips[: 5 * len(names)], len(names))
        write_json(place / "generate.json", generation_notes(model, network, drawing, seed, seconds, len(labels)))


def score_set(
    folder: Path,
    test: Path,
    train: Path,
    classifier: str,
    model: str,
    results: Path | None,
    features: Path | None = None,
) -> dict:
    """Judge generated clips beside the test set, what the tokenizer leaves of it, and noise; returns the report.

    ``features``: a TorchScript file by whose features the distances are measured, too.
    """
    more = FeatureFile(features, "clips") if features else None
    made = Clips.read(folder / "made", "speechgen video generate-set")
    real, training = Clips.read(test), Clips.read(train)
    notes, network = read_json(folder / "generate.json"), load_grid_generator(model, "video")
    judge = load_judge(classifier, VideoClassifier, made.names)
    sizes = judge.config
    for place, clips in ((folder / "made", made), (test, real), (train, training)):
        if clips.pixels.shape[1:] != (sizes.frames, sizes.side, sizes.side, sizes.channels):
            raise UserError(f"{place}: clips of {clips.size} pixels, which the classifier was not trained on")
    answers, shown = torch.from_numpy(real.labels), as_tensor(real)
    coded = through_tokenizer(network, shown, AT_ONCE)
    noise = torch.rand(shown.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    systems = {
        "test clips": (shown, answers),
        "test clips through the tokenizer": (coded, answers),
        "generated": (as_tensor(made), torch.from_numpy(made.labels)),
        "noise": (noise, answers),
    }
    judged = judge_all(judge, systems, as_tensor(training))
    report = {**notes, "source": str(test), "what": "clips", "judged": judged}
    if more:
        more.add_distances(report, systems, as_tensor(training))
    write_judged(folder, report, results, "Video results", "speechgen video score")
    return report
