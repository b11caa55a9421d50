"""Labels that a model can be conditioned on: speaker, language, and whatever a Kaldi file utt2NAME or spk2NAME says."""

from collections.abc import Iterable
from typing import Protocol

from speechgen.errors import UserError, nearest


class Labelled(Protocol):
    """An utterance or an example."""

    id: str
    speaker: str
    language: str
    extras: dict[str, str]


def labels_of(one: Labelled) -> dict[str, str]:
    """Every label of an utterance by name: {"speaker": "kim", "language": "en", "pitch": "a2"}."""
    named = {name[4:]: value for name, value in one.extras.items() if name.startswith(("utt2", "spk2"))}
    return {**named, "speaker": one.speaker, "language": one.language}


def chosen_labels(one: Labelled, names: Iterable[str]) -> dict[str, str]:
    """The labels of these names; raises UserError naming the utterance that lacks one."""
    labels = labels_of(one)
    for name in names:
        if name not in labels:
            raise UserError(f"{one.id}: has no label {name!r} (a file utt2{name} or spk2{name}){nearest(name, labels)}")
    return {name: labels[name] for name in names}
