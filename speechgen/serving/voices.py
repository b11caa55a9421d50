"""Voices that came with the package, and voices in files."""

from pathlib import Path

from speechgen.errors import UserError, nearest
from speechgen.models.load import PRETRAINED
from speechgen.models.voice import Voice

VOICES = PRETRAINED / "voices"
SUFFIX = ".voice"


def shipped_voices() -> list[str]:
    """Names of the voices that came with the package."""
    return sorted(path.stem for path in VOICES.glob(f"*{SUFFIX}"))


def find_voice(voice: str | Path) -> Voice:
    """A voice by the name it is shipped under, or by its file; raises UserError where there is none."""
    if str(voice) in shipped_voices():
        return Voice.load(VOICES / f"{voice}{SUFFIX}")
    if Path(voice).is_file():
        return Voice.load(voice)
    raise UserError(f"{voice}: no voice of that name and no such file{nearest(str(voice), shipped_voices())}")
