"""Where recordings come from: the known corpora, their licences and their public pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from speechgen.data.perturb import speed_of


@dataclass(frozen=True)
class Origin:
    """A corpus's licence, and where it can be had; ``page`` is empty for what is made on the spot."""

    licence: str
    page: str = ""


ORIGINS = {
    "speechocean762": Origin("Apache-2.0", "https://www.openslr.org/101/"),
    "kathleen": Origin("CC0-1.0", "https://github.com/rhasspy/dataset-voice-kathleen"),
    "kerstin": Origin("CC0-1.0", "https://github.com/rhasspy/dataset-voice-kerstin"),
    "meatbass": Origin("CC0-1.0", "https://github.com/sfzinstruments/karoryfer.meatbass"),
    "esc10": Origin("CC-BY-3.0", "https://github.com/karolpiczak/ESC-50"),
    "fsdd": Origin("CC-BY-SA-4.0", "https://github.com/Jakobovski/free-spoken-digit-dataset"),
    "mini": Origin("synthetic speech by espeak-ng"),
}


class Spoken(Protocol):
    """Anything said by someone, with its length in seconds."""

    speaker: str
    language: str

    @property
    def seconds(self) -> float: ...


def corpus_of(speaker: str) -> str:
    """The known corpus whose name a speaker's id begins with, or an empty string."""
    return next((name for name in ORIGINS if speaker.startswith(name)), "")


def summarise_corpora(utterances: Iterable[Spoken]) -> list[dict]:
    """One entry a corpus: its name ("" for what is not known), hours, utterances, speakers, languages; and the
    ``speeds`` at which its recordings are there once more, if they are, which are not counted."""
    by_corpus: dict[str, list[Spoken]] = {}
    speeds: dict[str, set[float]] = {}
    for one in utterances:
        if (speed := speed_of(one.speaker)) == 1:
            by_corpus.setdefault(corpus_of(one.speaker), []).append(one)
        else:
            speeds.setdefault(corpus_of(one.speaker), set()).add(speed)
    return [
        {
            "name": name,
            "hours": round(sum(one.seconds for one in members) / 3600, 3),
            "utterances": len(members),
            "speakers": len({one.speaker for one in members}),
            "languages": sorted({one.language for one in members}),
            **({"speeds": sorted(speeds[name])} if name in speeds else {}),
        }
        for name, members in sorted(by_corpus.items())
    ]
