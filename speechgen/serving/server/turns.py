"""Whose turn it is: so many requests speak at once, so many wait, and the others are told to come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from speechgen.serving.limits import RequestLimits


class Full(Exception):
    """No room to wait, or no turn came in time; ``seconds``: after which to ask again."""

    def __init__(self, seconds: int):
        super().__init__(f"the server is busy; ask again in {seconds} s")
        self.seconds = seconds


class Turns:
    """``running`` and ``waiting`` are how many requests do so now."""

    def __init__(self, limits: RequestLimits):
        self.limits = limits
        self.running = self.waiting = 0
        self.most_running = 0
        self.usual_seconds = 1.0  # that a turn took, lately
        self._free = asyncio.Semaphore(limits.running)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and keep it during the block; raises Full at once where too many wait already."""
        if self.running + self.waiting >= self.limits.running + self.limits.waiting:
            raise Full(self._patience())
        self.waiting += 1
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self._free.acquire()
        except TimeoutError:
            raise Full(self._patience()) from None
        finally:
            self.waiting -= 1
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
        ahead = (self.running + self.waiting) / (2 * self.limits.running)
        return round(min(60.0, max(1.0, ahead * self.usual_seconds)))
