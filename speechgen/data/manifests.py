"""Kaldi data directories to Lhotse manifests and back."""

import typing
from pathlib import Path

from speechgen.audio.files import read_audio_info
from speechgen.data.folders import new_folder
from speechgen.data.kaldi import DataDir, Segment, Utterance
from speechgen.data.tables import c_order
from speechgen.errors import UserError

if typing.TYPE_CHECKING:
    from lhotse import CutSet, RecordingSet, SupervisionSet

CUTS = ("cuts.jsonl.gz", "cuts.jsonl")
PAIRS = (("recordings.jsonl.gz", "supervisions.jsonl.gz"), ("recordings.jsonl", "supervisions.jsonl"))


def to_lhotse(data_dir: DataDir) -> tuple["RecordingSet", "SupervisionSet"]:
    """Recordings (their headers are read) and supervisions of a data directory.

    Extras go into the supervisions' ``custom``; spk2gender also into ``gender``.
    Raises UserError for a recording without readable header, or one that a command prints.
    """
    from lhotse import AudioSource, Recording, RecordingSet, SupervisionSegment, SupervisionSet

    recordings: dict[str, Recording] = {}
    supervisions = []
    for u in data_dir.utterances:
        if u.pipe:
            raise UserError(f"{u.id}: its audio comes from a command; run it into a file first")
        id = u.segment.recording if u.segment else u.id
        if id not in recordings:
            info = read_audio_info(u.path)
            source = AudioSource(type="file", channels=list(range(info.channels)), source=str(u.path))
            recordings[id] = Recording(id, [source], info.sample_rate, info.samples, info.seconds)
        start = u.segment.start if u.segment else 0.0
        duration = u.segment.end - start if u.segment else recordings[id].duration
        supervisions.append(
            SupervisionSegment(
                id=u.id,
                recording_id=id,
                start=start,
                duration=round(duration, 6),
                text=u.text,
                language=u.language,
                speaker=u.speaker,
                gender=u.extras.get("spk2gender"),
                custom=dict(u.extras) or None,
            )
        )
    return RecordingSet.from_recordings(recordings.values()), SupervisionSet.from_segments(supervisions)


def to_cuts(data_dir: DataDir) -> "CutSet":
    """One Lhotse cut for each utterance, with the utterance's id."""
    from lhotse import CutSet

    recordings, supervisions = to_lhotse(data_dir)
    by_id = {recording.id: recording for recording in recordings}
    return CutSet.from_cuts(_cut(by_id[supervision.recording_id], supervision) for supervision in supervisions)


def from_lhotse(
    recordings: "RecordingSet", supervisions: "SupervisionSet", root: Path, language: str = "en"
) -> DataDir:
    """The data directory of recordings and supervisions; relative paths start from ``root``.

    A supervision without speaker is its own speaker. Raises UserError for a supervision without recording, text
    or a plain audio file, and for ids that occur twice.
    """
    by_id = {recording.id: recording for recording in recordings}
    utterances: dict[str, Utterance] = {}
    for s in supervisions:
        recording = by_id.get(s.recording_id)
        if recording is None:
            raise UserError(f"{s.id}: there is no recording {s.recording_id}; give the recordings of the same set")
        if len(recording.sources) != 1 or recording.sources[0].type != "file":
            raise UserError(f"{s.id}: recording {recording.id} is not one audio file; save it as one")
        if s.id in utterances:
            raise UserError(f"{s.id} is given twice; ids must be unique")
        if not (s.text or "").strip():
            raise UserError(f"{s.id} has no text")
        whole = s.start <= 1e-4 and s.id == recording.id and s.end >= recording.duration - 1e-3
        segment = None if whole else Segment(recording.id, s.start, round(s.start + s.duration, 6))
        extras = {key: str(value) for key, value in (s.custom or {}).items() if key.startswith(("utt2", "spk2"))}
        if s.gender in ("m", "f"):
            extras["spk2gender"] = s.gender
        path = root / recording.sources[0].source
        text = " ".join(s.text.split())
        utterances[s.id] = Utterance(s.id, path, text, s.speaker or s.id, s.language or language, extras, segment)
    return DataDir(_all_or_no_segments([utterances[id] for id in sorted(utterances, key=c_order)], by_id), root)


def write_manifests(data_dir: DataDir, out: str | Path) -> None:
    """Write recordings, supervisions and cuts as jsonl.gz into a folder that appears complete or not at all."""
    recordings, supervisions = to_lhotse(data_dir)
    with new_folder(out) as folder:
        recordings.to_file(folder / PAIRS[0][0])
        supervisions.to_file(folder / PAIRS[0][1])
        to_cuts(data_dir).to_file(folder / CUTS[0])


def read_manifests(source: str | Path, language: str = "en") -> DataDir:
    """Read Lhotse manifests: a file of cuts, or a folder with cuts or with recordings and supervisions.

    Raises UserError when there is none, or when Lhotse cannot read it.
    """
    source = Path(source)
    try:
        recordings, supervisions = _load(source)
        return from_lhotse(recordings, supervisions, source if source.is_dir() else source.parent, language)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    except (ValueError, KeyError, TypeError, AssertionError, OSError, EOFError) as error:
        raise UserError(f"{source}: Lhotse cannot read it ({type(error).__name__}: {str(error)[:100]})") from None


def read_stretches(source: str | Path, language: str = "en") -> list[Utterance]:
    """Everything to hear in Lhotse manifests, with or without texts: each supervision, or else each cut or recording.

    ``source``: a manifest of cuts or of recordings, or a folder as for ``read_manifests``. Raises UserError when there
    is none, or when Lhotse cannot read it.
    """
    from lhotse import CutSet, RecordingSet, load_manifest

    source = Path(source)
    root = source if source.is_dir() else source.parent
    try:
        if source.is_dir() and not any((source / name).exists() for name in CUTS):
            recordings, supervisions = _load(source)
            cuts = CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
        else:
            file = next((source / name for name in CUTS if (source / name).exists()), source)
            manifest = load_manifest(file)
            whole = isinstance(manifest, RecordingSet)
            cuts = CutSet.from_cuts(recording.to_cut() for recording in manifest) if whole else manifest
        if not isinstance(cuts, CutSet):
            raise UserError("holds supervisions without recordings; name the manifest of the recordings or cuts")
        return [utterance for cut in cuts for utterance in _stretches(cut, root, language)]
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    except (ValueError, KeyError, TypeError, AssertionError, AttributeError, OSError, EOFError) as error:
        raise UserError(f"{source}: Lhotse cannot read it ({type(error).__name__}: {str(error)[:100]})") from None


def is_manifest(source: str | Path) -> bool:
    """Whether a path is a Lhotse manifest by its name, or a folder that holds some."""
    source = Path(source)
    if source.is_dir():
        found = any((source / name).exists() for name in CUTS)
        return found or any((source / a).exists() and (source / b).exists() for a, b in PAIRS)
    return source.name.endswith((".jsonl", ".jsonl.gz"))


def _load(source: Path) -> tuple["RecordingSet", "SupervisionSet"]:
    from lhotse import CutSet, RecordingSet, SupervisionSet

    if source.is_dir():
        for recordings, supervisions in PAIRS:
            if (source / recordings).exists() and (source / supervisions).exists():
                files = RecordingSet.from_file(source / recordings), SupervisionSet.from_file(source / supervisions)
                return files[0].to_eager(), files[1].to_eager()
        found = [source / name for name in CUTS if (source / name).exists()]
        if not found:
            raise UserError(f"holds no Lhotse manifests ({CUTS[0]}, or {PAIRS[0][0]} and {PAIRS[0][1]})")
        source = found[0]
    elif not source.exists():
        raise UserError("no such file; give a Lhotse manifest or a folder with manifests")
    recordings, supervisions = {}, []
    for cut in CutSet.from_file(source):
        recordings[cut.recording.id] = cut.recording
        # A cut counts from its own start, a data directory from the start of the recording.
        supervisions += [supervision.with_offset(cut.start) for supervision in cut.supervisions]
    return RecordingSet.from_recordings(recordings.values()), SupervisionSet.from_segments(supervisions)


def _cut(recording, supervision):
    from lhotse import MonoCut

    duration = min(supervision.duration, recording.duration - supervision.start)
    return MonoCut(
        id=supervision.id,
        start=supervision.start,
        duration=duration,
        channel=0,
        recording=recording,
        supervisions=[supervision.with_offset(-supervision.start)],
    )


def _stretches(cut, root: Path, language: str) -> list[Utterance]:
    """The utterances of one cut."""
    recording = cut.recording
    if len(recording.sources) != 1 or recording.sources[0].type != "file":
        raise UserError(f"{cut.id}: recording {recording.id} is not one audio file; save it as one")
    parts = [(s.id, cut.start + s.start, s.duration, s) for s in cut.supervisions] or [
        (cut.id, cut.start, cut.duration, None)
    ]
    utterances = []
    for id, start, duration, supervision in parts:
        start, end = max(0.0, start), min(start + duration, recording.duration)
        whole = start <= 1e-4 and end >= recording.duration - 1e-3
        extras = {}
        if supervision is not None:
            extras = {k: str(v) for k, v in (supervision.custom or {}).items() if k.startswith(("utt2", "spk2"))}
            extras |= {"spk2gender": supervision.gender[0].lower()} if supervision.gender else {}
        utterances.append(
            Utterance(
                id=id,
                path=root / recording.sources[0].source,
                text=" ".join(((supervision and supervision.text) or "").split()),
                speaker=(supervision and supervision.speaker) or "",
                language=(supervision and supervision.language) or language,
                extras=extras,
                segment=None if whole else Segment(recording.id, start, round(end, 6)),
            )
        )
    return utterances


def _all_or_no_segments(utterances: list[Utterance], recordings: dict) -> list[Utterance]:
    """Kaldi has a file ``segments`` for all utterances or for none: whole files become segments beside others."""
    if all(u.segment is None for u in utterances) or all(u.segment for u in utterances):
        return utterances
    whole = {u.id: Segment(u.id, 0.0, recordings[u.id].duration) for u in utterances if u.segment is None}
    return [Utterance(**{**vars(u), "segment": u.segment or whole[u.id]}) for u in utterances]
