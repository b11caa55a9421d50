"""How much a visitor of the app may ask for at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """``file_megabytes``: of an upload. ``waiting``: visitors in the queue; one at a time is served."""

    text_characters: int = 1000
    takes: int = 4
    steps: int = 32
    compared_seconds: float = 30.0
    file_megabytes: int = 25
    waiting: int = 16
