"""How much a visitor of the app, or a program that asks the server, may ask for at once."""

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


@dataclass(frozen=True)
class RequestLimits:
    """``running``: requests that speak at once; ``waiting``: that wait for their turn, and any more are refused.
    ``seconds``: that a request may wait, and that it may speak. ``body_bytes``: of a request, its prompt included."""

    text_characters: int = 4096
    body_bytes: int = 8 * 2**20
    running: int = 8
    waiting: int = 64
    seconds: float = 300.0
