"""Ctrl-C while a model trains: the step is finished and kept before the program ends."""

import signal
import threading
from types import FrameType
from typing import Self


class Interrupt:
    """Inside the ``with`` block the first SIGINT is noted in ``asked``, and only a second one raises KeyboardInterrupt.

    Does nothing where it is not ``wanted``, in other threads than the main one, and where SIGINT is ignored.
    """

    def __init__(self, wanted: bool = True):
        self.asked = False
        self._wanted = wanted and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        self._before = signal.getsignal(signal.SIGINT)
        self._wanted = self._wanted and self._before is signal.default_int_handler
        if self._wanted:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._wanted:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self._before)
