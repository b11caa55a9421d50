"""Audio dumps: a data directory as Lhotse Shar shards of FLAC at one sample rate, and back into memory."""

import io
import json
import tarfile
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from speechgen.audio.checks import Limits
from speechgen.audio.resample import resample
from speechgen.data.check import refuse_bad
from speechgen.data.folders import new_folder
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.parallel import parallel_map
from speechgen.data.sources import read_utterance
from speechgen.errors import UserError

if typing.TYPE_CHECKING:
    import lhotse

DONE = "cuts.done.json"  # Lhotse takes any other first part of a name for a data field


@dataclass(frozen=True)
class Example:
    """One utterance in memory; ``audio`` is int16 (T,) at ``sample_rate`` Hz.

    ``extras``: further facts by the name of their Kaldi file, such as {"utt2pitch": "a2"}.
    """

    id: str
    speaker: str
    text: str
    language: str
    sample_rate: int
    audio: np.ndarray
    extras: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return len(self.audio) / self.sample_rate


@dataclass(frozen=True)
class Dumped:
    """What ``write_shards`` wrote and what it left out (reasons by utterance id)."""

    utterances: int
    seconds: float
    skipped: dict[str, str]


def write_shards(
    data_dir: DataDir,
    out_dir: str | Path,
    sample_rate: int,
    shard_size: int = 1000,
    jobs: int = 1,
    limits: Limits = Limits(),
    skipped: dict[str, str] | None = None,
    max_bad: float = 1.0,
    on_utterance: Callable[[str, str], None] = lambda id, reason: None,
) -> Dumped:
    """Write every sound recording as mono 16-bit FLAC at ``sample_rate`` Hz into Lhotse Shar shards.

    Text, speaker and language lie in the supervisions; ``CutSet.from_shar(in_dir=...)`` reads the folder too.
    Bad recordings are left out and told by id, after those ``skipped`` before. The folder appears complete,
    with its done-mark, or not at all; an older dump is replaced. After each recording ``on_utterance(id, reason)``
    is called, with an empty reason when it is good.
    Raises UserError when more than the share ``max_bad`` is bad, nothing is good, or the folder cannot be written.
    """
    from lhotse.shar.writers.cut import JsonlShardWriter
    from lhotse.shar.writers.tar import TarWriter

    out_dir = Path(out_dir)
    _refuse_other_folder(out_dir)
    skipped = dict(skipped or {})
    total = len(data_dir.utterances) + len(skipped)
    written, samples = 0, 0
    tasks = [(utterance, sample_rate, limits) for utterance in data_dir.utterances]
    with new_folder(out_dir) as folder:
        with (
            JsonlShardWriter(f"{folder}/cuts.%06d.jsonl", shard_size) as cuts,
            TarWriter(f"{folder}/recording.%06d.tar", shard_size) as recordings,
        ):
            for utterance, encoded in zip(data_dir.utterances, parallel_map(_encode, tasks, jobs)):
                flac, length, reason = encoded
                on_utterance(utterance.id, reason)
                if reason:
                    skipped[utterance.id] = reason
                    continue
                cut = _cut(utterance, sample_rate, length)
                cuts.write(cut)
                recordings.write(f"{cut.id}.flac", io.BytesIO(flac))
                recordings.write(
                    f"{cut.id}.json", io.BytesIO(json.dumps(cut.recording.to_dict()).encode()), count=False
                )
                written, samples = written + 1, samples + length
        refuse_bad(out_dir, len(skipped), total, max_bad)
        done = {"sample_rate": sample_rate, "utterances": written, "samples": samples, "skipped": skipped}
        (folder / DONE).write_text(json.dumps(done, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return Dumped(written, samples / sample_rate, skipped)


def read_shards(out_dir: str | Path) -> list[Example]:
    """All examples of a finished dump, in its order; raises UserError when the dump is missing or unfinished."""
    return list(iterate_shards(out_dir))


def iterate_shards(out_dir: str | Path) -> Iterator[Example]:
    """Examples of a finished dump one by one; raises UserError when the dump is missing, unfinished or damaged."""
    import soundfile
    from lhotse import CutSet

    wanted, count = read_done(out_dir)["utterances"], 0
    try:
        for cut in CutSet.from_shar(in_dir=str(out_dir)):
            audio, rate = soundfile.read(io.BytesIO(cut.recording.sources[0].source), dtype="int16")
            told = cut.supervisions[0]
            yield Example(told.id, told.speaker, told.text, told.language, rate, audio, dict(told.custom or {}))
            count += 1
    except (tarfile.TarError, RuntimeError, AssertionError, ValueError, OSError) as error:
        raise UserError(f"{out_dir}: is damaged ({type(error).__name__}: {str(error)[:80]}); dump it again") from None
    if count != wanted:
        raise UserError(f"{out_dir}: is damaged, it holds {count} utterances instead of {wanted}; dump it again")


def read_done(out_dir: str | Path) -> dict:
    """The done-mark of a dump: sample_rate (Hz), utterances, samples, skipped; raises UserError without one."""
    try:
        return json.loads((Path(out_dir) / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(
            f"{out_dir}: is no finished dump; make it with 'speechgen dump audio DATADIR {out_dir}'"
        ) from None


def _encode(task: tuple[Utterance, int, Limits]) -> tuple[bytes, int, str]:
    """(FLAC bytes, samples, why the recording is left out or an empty string)."""
    import soundfile

    utterance, sample_rate, limits = task
    faults, audio, rate = read_utterance(utterance, limits)
    fatal = [fault.sentence for fault in faults if fault.fatal]
    if fatal:
        return b"", 0, "; ".join(fatal)
    wave = resample(torch.from_numpy(audio), rate, sample_rate)
    samples = (wave.numpy() * 32768.0).round().clip(-32768, 32767).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue(), len(samples), ""


def _cut(utterance: Utterance, sample_rate: int, samples: int) -> "lhotse.MonoCut":
    """A cut with its supervision, whose recording lies in the tar shard beside it."""
    from lhotse import AudioSource, MonoCut, Recording, SupervisionSegment

    duration = samples / sample_rate
    recording = Recording(
        id=utterance.id,
        sources=[AudioSource(type="shar", channels=[0], source="")],
        sampling_rate=sample_rate,
        num_samples=samples,
        duration=duration,
    )
    supervision = SupervisionSegment(
        id=utterance.id,
        recording_id=utterance.id,
        start=0.0,
        duration=duration,
        text=utterance.text,
        language=utterance.language,
        speaker=utterance.speaker,
        custom=dict(utterance.extras) or None,
    )
    return MonoCut(
        id=utterance.id, start=0.0, duration=duration, channel=0, supervisions=[supervision], recording=recording
    )


def _refuse_other_folder(out_dir: Path) -> None:
    """A dump may replace an older dump and an empty folder, and nothing else."""
    if out_dir.is_file() or (out_dir.exists() and not (out_dir / DONE).exists() and any(out_dir.iterdir())):
        raise UserError(f"{out_dir}: holds something that is no dump; name a new folder")
