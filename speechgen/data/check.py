"""Is a data directory sound? As strict as Kaldi's validate_data_dir.sh, and every recording is read too."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from speechgen.audio.checks import Fault, Limits
from speechgen.data.kaldi import REQUIRED, DataDir, Utterance, scan
from speechgen.data.parallel import parallel_map
from speechgen.data.sources import inspect_utterance
from speechgen.data.tables import Table, c_order
from speechgen.errors import UserError
from speechgen.text.normalise import LANGUAGES, normalise


@dataclass
class Report:
    """What a check found.

    ``bad`` tells for each unusable utterance why. ``untidy`` are faults of whole files that Kaldi refuses and
    that writing the directory anew repairs. ``warnings`` are (kind, utterance or file, sentence).
    """

    good: DataDir
    bad: dict[str, str] = field(default_factory=dict)
    untidy: list[str] = field(default_factory=list)
    warnings: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.good.utterances) + len(self.bad)

    def warnings_by_kind(self) -> dict[str, list[tuple[str, str]]]:
        """(utterance or file, sentence) of each kind of warning, the most frequent kind first."""
        kinds: dict[str, list[tuple[str, str]]] = {}
        for kind, where, sentence in self.warnings:
            kinds.setdefault(kind, []).append((where, sentence))
        return dict(sorted(kinds.items(), key=lambda item: -len(item[1])))

    def refuse(self, name: str | Path, max_bad: float) -> None:
        """Raise UserError when more than the share ``max_bad`` of the utterances is bad, or when none is good."""
        refuse_bad(name, len(self.bad), self.total, max_bad)


def refuse_bad(name: str | Path, bad: int, total: int, max_bad: float) -> None:
    """Raise UserError when more than the share ``max_bad`` is bad, or when nothing is left."""
    if not total:
        raise UserError(f"{name}: holds no utterances; fill wav.scp, text and utt2spk")
    if bad >= total or bad > max_bad * total:
        share = f"{bad} of {total} utterances are bad"
        raise UserError(f"{name}: {share}, more than --max_bad {max_bad:g} allows; mend them or raise it")


def check_data_dir(
    directory: str | Path,
    corpus: str | Path | None = None,
    language: str = "en",
    jobs: int = 1,
    trust_pipes: bool = False,
    limits: Limits = Limits(),
    sample_rate: int | None = None,
    on_utterance: Callable[[], None] = lambda: None,
) -> Report:
    """Check the text files of a data directory and the audio of every utterance in ``jobs`` processes.

    ``language`` is that of utterances without ``utt2lang``. ``sample_rate`` (Hz) is the one wanted: lower ones are
    told. ``on_utterance`` is called after each recording.
    Raises UserError when a required file is missing.
    """
    data_dir, bad, files = scan(directory, corpus, language, trust_pipes)
    report = Report(data_dir, bad, untidy=_untidy(files))
    report.warnings = [("files", name, sentence) for name, sentence in _odd_files(files)]
    good = []
    tasks = [(utterance, limits, sample_rate) for utterance in data_dir.utterances]
    for utterance, faults in zip(data_dir.utterances, parallel_map(_inspect, tasks, jobs)):
        on_utterance()
        fatal = [fault.sentence for fault in faults if fault.fatal]
        if fatal:
            bad[utterance.id] = "; ".join(fatal)
        else:
            good.append(utterance)
            report.warnings += [(fault.kind, utterance.id, fault.sentence) for fault in faults]
    report.good = DataDir(good, data_dir.root)
    report.warnings += _odd_utterances(good)
    return report


def _inspect(task: tuple[Utterance, Limits, int | None]) -> list[Fault]:
    return inspect_utterance(*task)


def _untidy(files: dict[str, Table]) -> list[str]:
    """Sentences on files that Kaldi refuses although nothing in them is lost."""
    sentences = [f"{name} {sentence}" for name, table in files.items() for sentence in table.untidy]
    if "spk2utt" in files:
        members: dict[str, list[str]] = {}
        for utterance, speaker in files["utt2spk"].values.items():
            members.setdefault(speaker, []).append(utterance)
        stated = {speaker: value.split() for speaker, value in files["spk2utt"].values.items()}
        for speaker in sorted(members.keys() | stated.keys(), key=c_order):
            if sorted(members.get(speaker, [])) != sorted(stated.get(speaker, [])):
                sentences.append(f"spk2utt does not agree with utt2spk on speaker {speaker}")
                break
    return sentences


def _odd_files(files: dict[str, Table]) -> list[tuple[str, str]]:
    """(file, sentence) on files that Kaldi might want otherwise."""
    odd = []
    speakers = files["utt2spk"].values
    if "spk2utt" not in files:
        odd.append(("spk2utt", "is missing; Kaldi's scripts want it, --write makes it"))
    by_speaker = sorted(speakers, key=lambda id: (c_order(speakers[id]), c_order(id)))
    if by_speaker != sorted(speakers, key=c_order):
        odd.append(("utt2spk", "is not in order of its speakers too; let utterance ids begin with the speaker id"))
    for name, table in files.items():
        if name not in REQUIRED:
            odd += [(name, f"{key} {reason}") for key, reason in table.bad.items()]
        if name.startswith("spk2") and name != "spk2utt":
            wanted = set(speakers.values())
        elif name.startswith("utt2") and name not in ("utt2spk", "utt2lang"):
            wanted = set(speakers)
        else:
            continue
        if unknown := table.values.keys() - wanted:
            odd.append((name, f"has {len(unknown)} unknown ids, such as {min(unknown)}"))
        if missing := wanted - table.values.keys():
            odd.append((name, f"lacks {len(missing)} ids, such as {min(missing)}"))
    return odd


def _odd_utterances(utterances: list[Utterance]) -> list[tuple[str, str, str]]:
    """Warnings on utterances whose audio is sound."""
    odd = []
    used = Counter((str(u.path), u.pipe, u.segment) for u in utterances)
    for u in utterances:
        if not u.id.startswith(u.speaker):
            odd.append(("speaker prefix", u.id, f"does not begin with its speaker id {u.speaker}"))
        if used[(str(u.path), u.pipe, u.segment)] > 1:
            odd.append(("same audio", u.id, f"has the same recording as another utterance ({u.path})"))
        if said := _unsayable(u):
            odd.append(("text", u.id, said))
        if u.extras.get("spk2gender", "m") not in ("m", "f"):
            odd.append(("gender", u.id, f"spk2gender is {u.extras['spk2gender']!r}, Kaldi knows m and f"))
    return odd


def _unsayable(utterance: Utterance) -> str:
    """Why models of phonemes would refuse the text, or an empty string."""
    if utterance.language not in LANGUAGES:
        return ""
    try:
        normalise(utterance.text, utterance.language)
    except UserError as error:
        return f"cannot be spoken by phonemes: {error}"
    return ""
