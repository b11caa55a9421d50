"""The first half of a codec evaluation: every system's version of every recording, on disk, resumable.

Layout: DIR/generate.json says what ran on what; DIR/<system>/<utterance>.wav is heard, and DIR/<system>/bytes.json
counts the bytes that each utterance took, the seconds it took to code, and what failed. DIR/recording is the input.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.files import AudioError, write_audio
from speechgen.errors import UserError
from speechgen.evaluation.baselines import CodingError, Recording, System
from speechgen.evaluation.logs import GenerationLog, write_json
from speechgen.evaluation.recordings import Recordings

SUMMARY = "generate.json"


def code_all(
    recordings: Recordings,
    systems: list[System],
    out: str | Path,
    sample_rate: int,
    facts: dict | None = None,
    on_utterance: Callable[[], None] = lambda: None,
) -> None:
    """Code every recording by every system at one rate (Hz); what is already there and unchanged is kept.

    ``facts``: plain values for the report, such as the model's card. An utterance that a system fails on is written
    down with its reason and tried again the next time.
    """
    out = Path(out)
    systems = [Recording(), *systems]
    names = [system.name for system in systems]
    if len(set(names)) < len(names):
        raise UserError(f"{out}: two systems are called {max(names, key=names.count)}; name each once")
    for system in systems:
        log = GenerationLog(out / system.name, {"system": system.facts, "sample_rate": sample_rate})
        for name in recordings.utterances:
            if not log.is_done(name, recordings.stamp(name)):
                try:
                    facts_of_one = _code(system, recordings.read(name, sample_rate), log.audio(name), sample_rate)
                    log.done(name, recordings.stamp(name), facts_of_one)
                except (AudioError, CodingError) as error:
                    log.fail(name, str(error))
            on_utterance()
    summary = {
        "source": recordings.source,
        "utterances": list(recordings.utterances),
        "sample_rate": sample_rate,
        "systems": names,
        "facts": facts or {},
    }
    write_json(out / SUMMARY, summary)


def _code(system: System, wave: Tensor, path: Path, sample_rate: int) -> dict:
    began = time.perf_counter()
    coded, size = system.reconstruct(wave, sample_rate)
    took = time.perf_counter() - began
    if not torch.isfinite(coded).all():
        raise CodingError("put out NaN or infinite samples")
    write_audio(path, coded, sample_rate)
    return {"bytes": size, "seconds": len(wave) / sample_rate, "compute_seconds": round(took, 4)}
