"""Many sessions, one model: their lines share every step, and join and leave between steps."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Self

from torch import Tensor

from speechgen.models.lines import Line, advance
from speechgen.models.tts import TokenTTS

AHEAD = 32  # units that a line may be ahead of its reader: 1.3 s at 25 steps a second


class Batcher:
    """Draws for all who bring it a line, in a thread of its own that runs inside the ``with`` block.

    With one line it does what ``models.speak.speak`` does; with many a step costs little more than with one.
    """

    def __init__(self, model: TokenTTS):
        self.model = model
        self.most_lines = 0  # that ever shared a step
        self._lines: list[_Waiting] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def draw(self, line: Line) -> Iterator[Tensor]:
        """The units of a line of one take, as ``models.speak.speak`` yields them.

        A reader that closes this iterator early leaves; one that lags is waited for by nobody.
        """
        waiting = _Waiting(line)
        with self._changed:
            self._lines.append(waiting)
            self._changed.notify_all()
        try:
            while (units := self._next(waiting)) is not None:
                yield units
        finally:
            with self._changed:
                self._lines.remove(waiting)

    def _next(self, waiting: "_Waiting") -> Tensor | None:
        with self._changed:
            self._changed.wait_for(lambda: waiting.ready or waiting.ended or self._closed)
            if waiting.ready:
                self._changed.notify_all()
                return waiting.ready.popleft()
            if waiting.failure is not None:
                raise RuntimeError("a step of the model failed") from waiting.failure
            if not waiting.ended:
                raise RuntimeError("the batcher has been closed")
            return None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or any(one.hungry for one in self._lines))
                if self._closed:
                    return
                stepping = [one for one in self._lines if one.hungry]
            self.most_lines = max(self.most_lines, len(stepping))
            made: list[Tensor | None] = [None] * len(stepping)
            failure: Exception | None = None
            try:
                made = advance(self.model, [one.line for one in stepping])
            except Exception as error:  # it belongs to the readers, and the thread must live for those who come
                failure = error
            with self._changed:
                for one, units in zip(stepping, made, strict=True):
                    one.failure = failure
                    one.ended = one.line.done or failure is not None
                    if units is not None:
                        one.ready.append(units)
                self._changed.notify_all()


class _Waiting:
    """A line, what it has ready for its reader, and what went wrong; changed only under the batcher's lock."""

    def __init__(self, line: Line):
        self.line = line
        self.ready: deque[Tensor] = deque()
        self.failure: Exception | None = None
        self.ended = False

    @property
    def hungry(self) -> bool:
        return not self.ended and len(self.ready) < AHEAD
