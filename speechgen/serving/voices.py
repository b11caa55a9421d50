"""Voices that came with the package, voices of one's own, and voices in files."""

import os
import re
from pathlib import Path

from speechgen.errors import UserError, nearest
from speechgen.models.load import PRETRAINED
from speechgen.models.voice import Voice

VOICES = PRETRAINED / "voices"
SUFFIX = ".voice"


def shipped_voices() -> list[str]:
    """Names of the voices that came with the package."""
    return sorted(path.stem for path in VOICES.glob(f"*{SUFFIX}"))


def own_folder() -> Path:
    """Where voices of one's own are kept: ``$SPEECHGEN_VOICES``, or a folder of the user's data."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(os.environ.get("SPEECHGEN_VOICES") or data / "speechgen" / "voices")


def known_voices() -> dict[str, Path]:
    """All voices that have a name, and their files; a shipped name is nobody else's."""
    own = {path.stem: path for path in sorted(own_folder().glob(f"*{SUFFIX}"))}
    return own | {name: VOICES / f"{name}{SUFFIX}" for name in shipped_voices()}


def own_file(name: str) -> Path:
    """The file for a new voice of one's own; raises UserError for a name that cannot be one, or is a shipped one."""
    if not re.fullmatch(r"[\w][\w.-]{0,63}", name):
        raise UserError(f"{name!r} cannot be a voice's name; use letters, digits, '-', '_' and '.'")
    if name in shipped_voices():
        raise UserError(f"{name}: a voice of this name came with the package; choose another")
    return own_folder() / f"{name}{SUFFIX}"


def find_voice(voice: str | Path) -> Voice:
    """A voice by its name, or by its file; raises UserError where there is none."""
    named = known_voices()
    if str(voice) in named:
        return Voice.load(named[str(voice)])
    if Path(voice).is_file():
        return Voice.load(voice)
    raise UserError(f"{voice}: no voice of that name and no such file{nearest(str(voice), named)}")


def fitting_voices(codec: str) -> dict[str, Voice]:
    """The named voices that were made with the codec of this fingerprint; damaged ones are left out."""
    fitting = {}
    for name, path in sorted(known_voices().items()):
        try:
            voice = Voice.load(path)
        except UserError:
            continue
        if voice.codec == codec:
            fitting[name] = voice
    return fitting
