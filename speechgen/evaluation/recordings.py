"""Which recordings an evaluation runs on: a Kaldi data directory, a Lhotse manifest, a folder of audio, or one file."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.checks import Limits
from speechgen.audio.files import AudioError
from speechgen.audio.resample import resample
from speechgen.data.kaldi import DataDir, Utterance
from speechgen.data.manifests import is_manifest, read_stretches
from speechgen.data.sources import read_utterance
from speechgen.errors import UserError
from speechgen.evaluation.logs import stamp_of

AUDIO = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf"}
LIMITS = Limits(max_seconds=1800.0)  # longer ones are for 'speechgen codec encode', not for listening tests


@dataclass(frozen=True)
class Recordings:
    """Utterances, each under a name that is safe as a file name; ``source`` says where they come from."""

    source: str
    utterances: dict[str, Utterance]

    def read(self, name: str, sample_rate: int) -> Tensor:
        """The waveform (T,) of one; raises AudioError for one that cannot be used."""
        faults, samples, rate = read_utterance(self.utterances[name], LIMITS)
        for fault in faults:
            if fault.fatal:
                raise AudioError(fault.sentence)
        return resample(torch.from_numpy(samples), rate, sample_rate)

    def stamp(self, name: str) -> str:
        """A string that changes when the recording does."""
        utterance = self.utterances[name]
        return f"{stamp_of(utterance.path)} {utterance.segment or ''}{utterance.pipe}".strip()


def find_recordings(source: str | Path, limit: int | None = None) -> Recordings:
    """Look a source up; with ``limit`` take that many: equally many of each corpus of a joined set, spread evenly
    over each, so that no speaker has them all.

    Raises UserError when there is nothing to hear.
    """
    source = Path(source)
    if (source / "wav.scp").exists():
        utterances = DataDir.read(source).utterances
    elif source.exists() and is_manifest(source):
        utterances = read_stretches(source)
    elif source.is_dir():
        files = sorted(path for path in source.rglob("*") if path.suffix.lower() in AUDIO and path.is_file())
        utterances = [_plain(path, path.relative_to(source)) for path in files]
    elif source.is_file():
        utterances = [_plain(source, Path(source.name))]
    else:
        raise UserError(
            f"{source}: no such file or folder; name audio, a folder of it, a Kaldi data directory or a Lhotse manifest"
        )
    if not utterances:
        raise UserError(f"{source}: holds no audio ({', '.join(sorted(AUDIO))}) and no wav.scp")
    named: dict[str, Utterance] = {}
    for utterance in utterances:
        name = stem = re.sub(r"[^\w.+@=-]+", "_", utterance.id).lstrip(".") or "unnamed"
        number = 1
        while name in named:
            number += 1
            name = f"{stem}-{number}"
        named[name] = utterance
    return Recordings(str(source), _fair(named, limit))


def spread(named: dict, limit: int | None) -> dict:
    """``limit`` entries at equal distances, or all."""
    names = list(named)
    if limit is None or limit >= len(names):
        return named
    return {names[i * len(names) // limit]: named[names[i * len(names) // limit]] for i in range(limit)}


def corpora(speakers: dict[str, str]) -> dict[str, list[str]]:
    """The recordings of each corpus of a joined set, whose speakers are called ``corpus-speaker`` (or ``corpus``,
    where there is one speaker only); a set that is not joined is one corpus without a name. ``speakers``: by
    recording."""
    members: dict[str, list[str]] = defaultdict(list)
    for name, speaker in speakers.items():
        members[corpus_prefix(speaker)].append(name)
    joined = 1 < len(members) < len(set(speakers.values()))
    return dict(sorted(members.items())) if joined else {"": list(speakers)}


def corpus_prefix(speaker: str) -> str:
    """The corpus that a speaker belongs to: what stands before the first hyphen of the speaker's id."""
    return speaker.partition("-")[0]


def _fair(named: dict[str, Utterance], limit: int | None) -> dict[str, Utterance]:
    if limit is None or limit >= len(named):
        return named
    left, chosen = limit, set()
    groups = sorted(corpora({name: u.speaker for name, u in named.items()}).values(), key=len)
    for number, names in enumerate(groups):  # what a small corpus cannot give is shared by the larger ones
        share = spread(dict.fromkeys(names), min(len(names), left // (len(groups) - number)))
        left -= len(share)
        chosen |= share.keys()
    return {name: one for name, one in named.items() if name in chosen}


def _plain(path: Path, relative: Path) -> Utterance:
    return Utterance(id=str(relative.with_suffix("")), path=path, text="", speaker="", language="en")
