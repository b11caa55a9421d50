"""The audio of an utterance, whether it is a file, a stretch of one, or the output of a trusted command."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from speechgen.audio.checks import AudioFacts, Fault, Limits, inspect_audio, read_inspected, recording_faults
from speechgen.audio.files import AudioError, read_audio_info
from speechgen.data.kaldi import Utterance

PIPE_SECONDS = 600  # longer than any sound command takes for one recording


@contextmanager
def audio_file(utterance: Utterance) -> Iterator[Path]:
    """The path of a file with the utterance's recording; a pipe is run into a temporary one.

    Raises AudioError when a command fails or prints nothing.
    """
    if not utterance.pipe:
        yield utterance.path
        return
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        try:
            done = subprocess.run(
                utterance.pipe, shell=True, stdout=file, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                timeout=PIPE_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise AudioError(f"{utterance.pipe}: still runs after {PIPE_SECONDS} s; try it by hand") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit {done.returncode}"]
            raise AudioError(f"{utterance.pipe}: the command failed ({said[0][:100]}); try it by hand")
        yield Path(file.name)


def inspect_utterance(utterance: Utterance, limits: Limits, sample_rate: int | None = None) -> list[Fault]:
    """Read the audio of an utterance and tell its faults; what cannot be read is one fatal fault."""
    try:
        with audio_file(utterance) as path:
            facts = inspect_audio(path, *_bounds(utterance))
    except AudioError as error:
        return [Fault("unreadable", str(error), True)]
    return _faults(utterance, facts, limits, sample_rate)


def read_utterance(
    utterance: Utterance, limits: Limits, sample_rate: int | None = None
) -> tuple[list[Fault], np.ndarray, int]:
    """As ``inspect_utterance``, with the mono samples (T,) float32 and their rate (Hz): (faults, samples, rate)."""
    try:
        with audio_file(utterance) as path:
            if not utterance.segment and read_audio_info(path).seconds > limits.max_seconds:
                # Hours of samples are measured block by block, never held in memory.
                facts, samples = inspect_audio(path), np.zeros(0, np.float32)
            else:
                facts, samples = read_inspected(path, *_bounds(utterance))
    except AudioError as error:
        return [Fault("unreadable", str(error), True)], np.zeros(0, np.float32), 0
    return _faults(utterance, facts, limits, sample_rate), samples, facts.sample_rate


def _bounds(utterance: Utterance) -> tuple[float, float | None]:
    return (utterance.segment.start, utterance.segment.end) if utterance.segment else (0.0, None)


def _faults(utterance: Utterance, facts: AudioFacts, limits: Limits, sample_rate: int | None) -> list[Fault]:
    faults = recording_faults(facts, limits, sample_rate)
    if utterance.segment:
        length = utterance.segment.end - utterance.segment.start
        if facts.seconds < length - 0.5:  # Kaldi's own tolerance for a segment that runs over the end
            faults.insert(0, Fault("segment", f"ends {length - facts.seconds:.1f} s after its recording does", True))
    return faults
