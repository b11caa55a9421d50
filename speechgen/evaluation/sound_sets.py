"""How good generated sounds of labels are: a classifier's verdict on them, on recordings, and on recordings that went
through the codec, the ceiling of a generator of its units that is faithful to the recordings."""

import time
from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.files import read_audio, write_audio
from speechgen.audio.lengths import all_fitted, fitted
from speechgen.audio.pictures import spectrogram_sheet_png
from speechgen.data.folders import new_folder
from speechgen.data.shards import read_shards
from speechgen.errors import UserError
from speechgen.evaluation.feature_files import FeatureFile
from speechgen.evaluation.judged import (
    generation_notes,
    judge_all,
    load_grid_generator,
    load_judge,
    through_tokenizer,
    write_judged,
)
from speechgen.evaluation.logs import read_json, write_json
from speechgen.models.classifier import SoundClassifier
from speechgen.models.draw import Drawing, draw_images
from speechgen.models.dump_sounds import sound_labels
from speechgen.training.sounds import LabelledWaves, labelled_waves

AT_ONCE = 32  # sounds that are drawn together
COLUMNS = 5  # of the sheet, which shows twice as many labels, and two sounds of each
PAUSE = 0.15  # seconds between sounds of one file


def generate_set(model: str, each: int, out: Path, drawing: Drawing, seed: int, on_sounds=lambda: None) -> None:
    """Draw ``each`` sounds of every label into ``out``: made/*.wav, sheet.png, generate.json; whole or not at all."""
    network = load_grid_generator(model, "sound")
    generator, rate = torch.Generator().manual_seed(seed), network.tokenizer.codec.sample_rate
    names = network.config.labels
    labels = torch.arange(len(names)).repeat(each)
    made, began = [], time.monotonic()
    for part in labels.split(AT_ONCE):
        made.append(draw_images(network, part, drawing, generator).squeeze(1))
        on_sounds()
    seconds, waves = time.monotonic() - began, torch.cat(made)
    with new_folder(out) as place:
        (place / "made").mkdir()
        files = {}
        for number, (wave, label) in enumerate(zip(waves, labels.tolist(), strict=True)):
            files[f"made/{number:05d}.wav"] = names[label]
            write_audio(place / f"made/{number:05d}.wav", wave, rate)
        (place / "sheet.png").write_bytes(_sheet(waves, names, rate))
        notes = generation_notes(model, network, drawing, seed, seconds, len(labels))
        write_json(place / "generate.json", {**notes, "labels": names, "files": files, "sample_rate": rate})


def score_set(
    folder: Path,
    dump: Path,
    train: Path,
    label: str,
    classifier: str,
    model: str,
    results: Path | None,
    features: Path | None = None,
) -> dict:
    """Judge generated sounds beside recordings of a test dump, these through the codec, and noise; returns the report.

    ``label``: what a recording is called, as in the dump; ``features``: a TorchScript file by whose features the
    distances are measured, too. Raises UserError for models and dumps that do not fit.
    """
    more = FeatureFile(features, "sounds") if features else None
    notes, network = read_json(folder / "generate.json"), load_grid_generator(model, "sound")
    names = notes["labels"]
    judge = load_judge(classifier, SoundClassifier, names)
    rate, samples = judge.config.sample_rate, judge.config.samples
    if rate != network.tokenizer.codec.sample_rate:
        raise UserError(f"{classifier}: hears {rate} Hz, the sounds have {network.tokenizer.codec.sample_rate} Hz")
    real, training = (read_recordings(place, label, names, judge) for place in (dump, train))
    answers = torch.from_numpy(real.labels)
    made = [fitted(read_audio(folder / file)[0], rate, samples) for file in notes["files"]]
    asked = torch.tensor([names.index(name) for name in notes["files"].values()])
    coded = through_tokenizer(network, all_fitted(real.waves, rate, network.tokenizer.samples), AT_ONCE)
    noise = 0.1 * torch.randn(real.waves.shape, generator=torch.Generator().manual_seed(0))
    systems = {
        "test recordings": (real.waves, answers),
        "test recordings through the codec": (all_fitted(coded, rate, samples), answers),
        "generated": (torch.stack(made).unsqueeze(1), asked),
        "noise": (noise, answers),
    }
    kept = {key: value for key, value in notes.items() if key != "files"}
    report = {**kept, "source": str(dump), "what": "sounds", "judged": judge_all(judge, systems, training.waves)}
    if more:
        more.add_distances(report, systems, training.waves, rate)
    write_judged(folder, report, results, "Sound results", "speechgen sound score")
    return report


def _sheet(waves: Tensor, names: list[str], sample_rate: int) -> bytes:
    """Spectrograms of sounds (N, samples), drawn for all names again and again, as a PNG."""
    columns = min(COLUMNS, len(names))
    shown = range(0, min(2 * columns, len(names) // columns * columns), columns)
    takes = range(0, min(2 * len(names), len(waves)), len(names))
    rows = [range(take + first, take + first + columns) for first in shown for take in takes]
    heads = [names[number % len(names)] for row in rows for number in row]
    return spectrogram_sheet_png([[(waves[number], sample_rate) for number in row] for row in rows], heads)


def one_after_another(waves: Tensor, sample_rate: int) -> Tensor:
    """Sounds (N, samples) as one, with pauses between them."""
    pause = torch.zeros(round(PAUSE * sample_rate))
    parts = [part for wave in waves for part in (wave, pause)]
    return torch.cat(parts[:-1])


def read_recordings(dump: Path, label: str, names: list[str], judge: SoundClassifier) -> LabelledWaves:
    """Recordings of a dump as a classifier hears them, those with a label of these names; ``label``: what one is
    called. Raises UserError for a dump at another rate."""
    examples, rate = read_shards(dump), judge.config.sample_rate
    if examples[0].sample_rate != rate:
        raise UserError(f"{dump}: {examples[0].sample_rate} Hz, the classifier hears {rate} Hz; dump it again")
    return labelled_waves(examples, sound_labels(examples, label), names, judge.config.samples)
