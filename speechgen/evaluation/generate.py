"""The first half of a codec evaluation: every system's version of every recording, on disk, resumable.

Layout: DIR/generate.json says what ran on what; DIR/<system>/<utterance>.wav is heard, <utterance>.npy holds its codes
where there are any, and DIR/<system>/bytes.json counts the bytes that each utterance took, the seconds it took to code,
and what failed. DIR/<system>/generations holds what was coded again and again. DIR/recording is the input.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechgen.audio.files import AudioError, write_audio
from speechgen.errors import UserError
from speechgen.evaluation.baselines import CodingError, Recording, System, TokenSystem
from speechgen.evaluation.logs import GenerationLog, write_json
from speechgen.evaluation.probe import probe
from speechgen.evaluation.recordings import Recordings, spread
from speechgen.evaluation.workers import Broken, Workers

SUMMARY = "generate.json"
DRIFTED = 4  # recordings that are coded again and again


@dataclass(frozen=True)
class Task:
    """What a worker does next. ``kind``: ``code`` once, ``generations`` of it, or ``probe`` what coding costs."""

    kind: str
    system: int
    utterance: str


@dataclass(frozen=True)
class Job:
    """What all tasks share."""

    recordings: Recordings
    systems: list[System]
    out: Path
    sample_rate: int
    generations: int


def code_all(
    recordings: Recordings,
    systems: list[System],
    out: str | Path,
    sample_rate: int,
    facts: dict | None = None,
    on_utterance: Callable[[], None] = lambda: None,
    jobs: int = 1,
    time_limit: float | None = None,
    generations: int = 1,
    costs: bool = False,
    subject: list[str] | None = None,
) -> None:
    """Code every recording by every system at one rate (Hz); what is already there and unchanged is kept.

    ``facts``: plain values for the report, such as the model's card. An utterance that a system fails on, or takes
    longer than ``time_limit`` seconds for, is written down with its reason and tried again the next time.
    ``generations``: how often a few recordings are coded in a row, each time from what came out before. ``costs``: also
    measure delay and memory of each system. ``subject``: names of the systems that the report is about; else the first.
    """
    out = Path(out)
    systems = [Recording(), *systems]
    names = [system.name for system in systems]
    if len(set(names)) < len(names):
        raise UserError(f"{out}: two systems are called {max(names, key=names.count)}; name each once")
    logs = [GenerationLog(out / s.name, {"system": s.facts, "sample_rate": sample_rate}) for s in systems]
    tasks = _tasks(recordings, logs, generations, costs)
    for _ in range(len(systems) * len(recordings.utterances) - sum(task.kind == "code" for task in tasks.values())):
        on_utterance()
    job = Job(recordings, systems, out, sample_rate, generations)
    limit = time_limit if jobs > 1 else None
    with Workers(partial(do_task, job), jobs, limit) as workers:
        for name, result in workers.run(tasks):
            task = tasks[name]
            _note(logs[task.system], task, recordings.stamp(task.utterance), result, generations)
            if task.kind == "code":
                on_utterance()
    utterances = recordings.utterances
    reasons = logs[0].values["failed"]
    if reasons.keys() >= utterances.keys():
        first = next(iter(utterances))
        raise UserError(f"{recordings.source}: none of its recordings can be used: {first}: {reasons[first]}")
    summary = {
        "source": recordings.source,
        "utterances": list(utterances),
        "sample_rate": sample_rate,
        "systems": names,
        "subject": subject or names[1:2],
        "about": {
            name: {"text": u.text, "language": u.language, "speaker": u.speaker, "extras": u.extras}
            for name, u in utterances.items()
        },
        "facts": facts or {},
    }
    write_json(out / SUMMARY, summary)


def _tasks(recordings: Recordings, logs: list[GenerationLog], generations: int, costs: bool) -> dict[str, Task]:
    """What is not yet done, by name."""
    tasks = {}
    few = spread(recordings.utterances, DRIFTED)
    for number, log in enumerate(logs):
        coded = number > 0  # the recording itself costs nothing, and does not drift
        for name in recordings.utterances:
            if not log.is_done(name, recordings.stamp(name)):
                tasks[f"code {number} {name}"] = Task("code", number, name)
            if coded and generations > 1 and name in few:
                noted = log.values["generations"].get(name, {})
                if (noted.get("stamp"), noted.get("count")) != (recordings.stamp(name), generations):
                    tasks[f"generations {number} {name}"] = Task("generations", number, name)
        if coded and costs and log.values["costs"] is None and few:
            tasks[f"probe {number}"] = Task("probe", number, next(iter(few)))
    return tasks


def _note(log: GenerationLog, task: Task, stamp: str, result: dict | str | Broken, generations: int) -> None:
    if isinstance(result, Broken):
        result = result.reason
    if task.kind == "code" and isinstance(result, str):
        log.fail(task.utterance, result)
    elif task.kind == "code":
        log.done(task.utterance, stamp, result)
    elif isinstance(result, str):
        return  # why coding fails is said of the utterance itself
    elif task.kind == "probe":
        log.note("costs", result)
    else:
        noted = {"stamp": stamp, "count": generations, **result}
        log.note("generations", {**log.values["generations"], task.utterance: noted})


def do_task(job: Job, task: Task) -> dict | str:
    """Facts for the log, or why there are none; audio is written on the way."""
    system = job.systems[task.system]
    folder = job.out / system.name
    try:
        wave = job.recordings.read(task.utterance, job.sample_rate)
        match task.kind:
            case "code":
                return _code(system, wave, folder / f"{task.utterance}.wav", job.sample_rate)
            case "generations":
                return _generations(system, wave, folder / "generations", task.utterance, job)
            case _:
                return probe(system, wave, job.sample_rate)
    except (AudioError, CodingError) as error:
        return str(error)


def _code(system: System, wave: Tensor, path: Path, sample_rate: int) -> dict:
    began = time.perf_counter()
    coded, size, codes = run_system(system, wave, sample_rate)
    took = time.perf_counter() - began
    if codes is not None:
        with path.with_suffix(".npy").open("wb") as file:
            np.save(file, codes.numpy().astype(np.int32), allow_pickle=False)
    write_audio(path, coded, sample_rate)
    facts = {"bytes": size, "seconds": len(wave) / sample_rate, "compute_seconds": round(took, 4)}
    return facts if codes is None else {**facts, "tokens": codes.numel()}


def _generations(system: System, wave: Tensor, folder: Path, name: str, job: Job) -> dict:
    """Code what was decoded, again and again. ``codes_kept``: the share of codes that stay, from one to the next."""
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[float] = []
    before: Tensor | None = None
    for generation in range(1, job.generations + 1):
        wave, _, codes = run_system(system, wave, job.sample_rate)
        if codes is not None and before is not None:
            frames = min(codes.shape[1], before.shape[1])
            kept.append(float((codes[:, :frames] == before[:, :frames]).float().mean()))
        before = codes
        write_audio(folder / f"{name}.{generation}.wav", wave, job.sample_rate)
    return {"codes_kept": kept}


def run_system(system: System, wave: Tensor, sample_rate: int) -> tuple[Tensor, int, Tensor | None]:
    """(wave (T,), bytes, codes (K, T) or None); raises CodingError for samples that are no numbers."""
    if isinstance(system, TokenSystem):
        coded, size, codes = system.code(wave, sample_rate)
    else:
        (coded, size), codes = system.reconstruct(wave, sample_rate), None
    if not torch.isfinite(coded).all():
        raise CodingError("put out NaN or infinite samples")
    return coded, size, codes
