"""Whose turn it is: so many requests speak at once, so many wait, and the others are told to come back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from speechgen.serving.limits import RequestLimits


class Full(Exception):
    """No room to wait, or no turn came in time; ``seconds``: after which to ask again."""

    def __init__(self, seconds: int):
        super().__init__(f"the server is busy; ask again in {seconds} s")
        self.seconds = seconds


class Turns:
    """``present``: requests that are being read, wait or speak; ``running``: those that speak."""

    def __init__(self, limits: RequestLimits):
        self.limits = limits
        self.present = self.running = 0
        self.most_running = 0
        self.usual_seconds = 1.0  # that a turn took, lately
        self._free = asyncio.Semaphore(limits.running)

    @property
    def waiting(self) -> int:
        return self.present - self.running

    @contextmanager
    def place(self) -> Iterator[None]:
        """Be present during the block; raises Full where too many are already."""
        if self.present >= self.limits.running + self.limits.waiting:
            raise Full(self._patience())
        self.present += 1
        try:
            yield
        finally:
            self.present -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and keep it during the block; raises Full where none comes in time."""
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self._free.acquire()
        except TimeoutError:
            raise Full(self._patience()) from None
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        started = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self.running -= 1
            self._free.release()
            self.usual_seconds += 0.2 * (asyncio.get_running_loop().time() - started - self.usual_seconds)

    def _patience(self) -> int:
        """Seconds until half of those who wait now will have had their turn; 1 to 60."""
        ahead = self.present / (2 * self.limits.running)
        return round(min(60.0, max(1.0, ahead * self.usual_seconds)))
