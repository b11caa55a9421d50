"""A page that tells how a chain of runs went: curves, what was heard at every evaluation, scores, and what it cost."""

import io
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import torch

from speechgen.audio.files import read_audio, write_audio
from speechgen.errors import UserError
from speechgen.evaluation.curves import Curves, draw_curves, read_curves
from speechgen.evaluation.facts import in_words
from speechgen.evaluation.logs import write_text
from speechgen.evaluation.report import part
from speechgen.evaluation.results import page as markdown_page
from speechgen.evaluation.results import table
from speechgen.stages.marks import DoneMark, mark_path, read_mark
from speechgen.training.facts import FACTS, read_facts
from speechgen.training.loop import HOURS

INDEX, RESULTS = "index.html", "RESULTS.md"
PANELS = 6  # of a run's picture: how it trains, and what was measured on dev
RECORDED = "recording"  # clips of recordings are not the model's, and stay where they are


@dataclass
class Moment:
    """One evaluation: ``hour`` of the whole chain, the run's step, its numbers on dev, and files beside the page."""

    hour: float
    step: int
    numbers: dict[str, float]
    clips: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)


@dataclass
class Run:
    """One training run of the chain; ``began``: hours of work on the chain before it."""

    name: str
    folder: Path
    facts: dict
    began: float
    curves: Curves

    def hour(self, step: int) -> float:
        """The hour of the chain at which a step was done."""
        steps, hours = zip((0, 0.0), *self.curves.get(HOURS, []))
        return self.began + float(np.interp(step, steps, hours))


@dataclass
class Cost:
    """A stage of the chain, or a run that is not done yet: hours of work, and how many of them were training."""

    name: str
    hours: float
    training: float | None = None


def write_journal(exp: Path, page: Path, title: str) -> list[Run]:
    """Write a Markdown page about the runs below ``exp``, and beside it a folder of its name with curves, audio,
    spectrograms and an ``index.html`` to listen to; returns the runs.

    Raises UserError where there are no runs, or the folder holds something else.
    """
    costs, runs = read_chain(exp)
    folder = page.with_suffix("")
    if folder.exists() and any(folder.iterdir()) and not (folder / INDEX).exists():
        raise UserError(f"{folder}: holds something else; give another --out")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    moments = {run.name: _moments(run, folder) for run in runs}
    for run in runs:
        _draw(run, folder)
    sayings = _sayings(runs, folder)
    write_text(page, _markdown(title, folder.name, exp, costs, runs, moments, sayings))
    write_text(folder / INDEX, _html(title, runs, moments, sayings))
    return runs


def read_chain(exp: Path) -> tuple[list[Cost], list[Run]]:
    """What the finished stages and the runs below a folder took, in order, and the runs; raises UserError without any.

    A stage that was broken off counts with its last call, a training with all of them.
    """
    folders = sorted(path.parent for path in exp.glob(f"*/{FACTS}"))
    if not folders:
        raise UserError(f"{exp}: holds no training run; name the folder that the overnight recipe trains in")
    marks = [mark for path in exp.rglob(".done/*.json") if (mark := read_mark(path)) is not None]
    of_run = {folder: read_mark(mark_path(str(folder / "checkpoints"))) for folder in folders}
    unfinished = [folder for folder, mark in of_run.items() if mark is None]
    timeline: list[DoneMark | Path] = [*sorted(marks, key=lambda mark: mark.finished), *unfinished]
    costs, runs = [], []
    for one in timeline:
        folder = one if isinstance(one, Path) else next((f for f, mark in of_run.items() if mark == one), None)
        began = sum(cost.hours for cost in costs)
        if folder is None:
            costs.append(Cost(one.stage, one.seconds / 3600))
            continue
        facts = read_facts(folder)
        training = facts.get("seconds", 0.0) / 3600
        hours = training if isinstance(one, Path) else max(one.seconds / 3600, training)
        costs.append(Cost(folder.name, hours, training))
        runs.append(Run(folder.name, folder, facts, began, read_curves(folder)))
    return costs, runs


def _moments(run: Run, folder: Path) -> list[Moment]:
    """The evaluations of a run, with what they let hear and see written into ``folder``."""
    from tensorboard.backend.event_processing.event_accumulator import AUDIO, IMAGES, EventAccumulator

    log = EventAccumulator(str(run.folder / "tensorboard"), size_guidance={AUDIO: 0, IMAGES: 0})
    log.Reload()
    dev = {name: dict(points) for name, points in run.curves.items() if _is_shown(name)}
    steps = sorted({step for points in dev.values() for step in points})
    moments = {
        step: Moment(run.hour(step), step, {name: points[step] for name, points in dev.items() if step in points})
        for step in steps
    }
    for tag in log.Tags()["audio"]:
        for event in log.Audio(tag) if RECORDED not in tag else []:
            if event.step in moments:
                name = f"{run.name}-{event.step:06d}-{_plain(tag)}.ogg"
                wave, rate = soundfile.read(io.BytesIO(event.encoded_audio_string), dtype="float32")
                write_audio(folder / name, torch.from_numpy(wave), rate)
                moments[event.step].clips.append(name)
    for tag in log.Tags()["images"]:
        for event in log.Images(tag):
            if event.step in moments:
                name = f"{run.name}-{event.step:06d}-{_plain(tag)}.png"
                (folder / name).write_bytes(event.encoded_image_string)
                moments[event.step].pictures.append(name)
    return list(moments.values())


def _is_shown(name: str) -> bool:
    """Whether a number is a run's on dev; of a codec those at all codebooks speak for the rest."""
    return name.startswith("dev/") and "continuous" not in name


def _plain(tag: str) -> str:
    return tag.replace("/", "-")


def _panels(run: Run) -> list[str]:
    """The numbers that a run's picture shows; none where it has only just begun."""
    totals = [name for name in run.curves if name.endswith("/total")]
    return [*totals, *filter(_is_shown, run.curves)][:PANELS]


def _draw(run: Run, folder: Path) -> None:
    """The loss in training and the numbers on dev, by the hour of the chain."""
    if names := _panels(run):
        by_hour = {name: [(run.hour(step), value) for step, value in run.curves[name]] for name in names}
        draw_curves(folder / f"{run.name}.png", {run.name: by_hour}, names, unit="hour")


def _sayings(runs: list[Run], folder: Path, most: int = 6) -> list[tuple[str, str]]:
    """Sentences of the test set as the finished model says them: (what it is, file beside the page)."""
    made = []
    for run in runs:
        found = sorted((run.folder / "generate").glob("*.wav"))
        for path in found[:: max(1, len(found) // most)][:most]:
            write_audio(folder / f"test-{path.stem}.ogg", *read_audio(path))
            made.append((path.stem, f"test-{path.stem}.ogg"))
    return made


def _markdown(
    title: str,
    beside: str,
    exp: Path,
    costs: list[Cost],
    runs: list[Run],
    moments: dict[str, list[Moment]],
    sayings: list[tuple[str, str]],
) -> str:
    words = in_words(runs[0].facts)
    hours = sum(cost.hours for cost in costs)
    about = {"training data": words["training data"]} if "training data" in words else {}
    about |= {"machine": words["trained on"], "hours": f"{hours:.2f} from recordings to this page"}
    about |= {run.name: in_words(run.facts)["steps"] for run in runs}
    about["to listen"] = f"[{beside}/{INDEX}]({beside}/{INDEX})"
    parts = ["## Costs\n\n" + _costs(costs, hours)]
    for run in runs:
        parts.append(f"## {run.name.capitalize()}")
        if _panels(run):
            parts.append(f"![{run.name}: losses by the hour]({beside}/{run.name}.png)")
        if moments[run.name]:
            parts.append(_hours(moments[run.name], beside))
        if (run.folder / RESULTS).exists():
            parts.append(_scores(run.folder / RESULTS))
    if sayings:
        lines = "\n".join(f"- [{what}]({beside}/{file})" for what, file in sayings)
        parts.append(f"## Sentences of the test set\n\n{lines}")
    notes = [
        "Hours are hours of work: time in which the chain was stopped does not count. Of a training every call counts, "
        "of another stage the one that finished. Numbers on dev are those of the averaged weights.",
    ]
    return markdown_page(title, "speechgen journal", about, parts, notes)


def _costs(costs: list[Cost], hours: float) -> str:
    rows = [[one.name, f"{one.hours:.2f}", "-" if one.training is None else f"{one.training:.2f}"] for one in costs]
    training = sum(one.training or 0.0 for one in costs)
    return table(["stage", "hours", "of it training"], [*rows, ["all", f"{hours:.2f}", f"{training:.2f}"]])


def _hours(moments: list[Moment], beside: str) -> str:
    names = list(dict.fromkeys(name for moment in moments for name in moment.numbers))
    rows = []
    for one in moments:
        links = " ".join(f"[{number}]({beside}/{clip})" for number, clip in enumerate(one.clips, start=1))
        seen = f"![spectrogram]({beside}/{one.pictures[0]})" if one.pictures else "-"
        numbers = [f"{one.numbers[name]:.3f}" if name in one.numbers else "-" for name in names]
        rows.append([f"{one.hour:.2f}", str(one.step), *numbers, links or "-", seen])
    return table(["hour", "step", *names, "listen", "first clip"], rows)


def _scores(results: Path) -> str:
    """A page of results as a part of this one."""
    lines = results.read_text(encoding="utf-8").splitlines()
    return "\n".join(f"##{line}" if line.startswith("#") else line for line in lines).strip()


def _html(title: str, runs: list[Run], moments: dict[str, list[Moment]], sayings: list[tuple[str, str]]) -> str:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    heard = [(run.name, moments[run.name]) for run in runs]
    return environment.from_string(part("journal.html")).render(
        title=title, style=part("report.css"), runs=heard, sayings=sayings
    )
