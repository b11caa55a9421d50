"""Work on many items in processes that may be killed: an item that takes too long fails, and the rest go on."""

import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from speechgen.errors import UserError

START_SECONDS = 300.0  # for a worker to import what it needs and prepare for an item, on a machine that is busy
# Imported once by the process that all workers are forked from, so that replacing a killed one costs nothing.
PRELOADED = ["speechgen.evaluation.score"]


class Broken(NamedTuple):
    """Why an item has no result; ``limit``: the seconds that it was given, when it took longer than that."""

    reason: str
    limit: float | None = None


class Workers:
    """``jobs`` processes that call ``work(item)``; each item has ``time_limit`` seconds, or all the time there is.

    ``work`` is a function of a module, or a ``functools.partial`` of one, and is handed to each process once. With one
    job and no limit everything happens in this process. Use it in a ``with`` block: leaving it ends the processes.
    ``prepare(item)`` is called first; what it loads and compiles is not taken from the item's time.
    """

    def __init__(
        self,
        work: Callable[[Any], Any],
        jobs: int = 1,
        time_limit: float | None = None,
        prepare: Callable[[Any], None] | None = None,
    ):
        self.work, self.jobs, self.time_limit, self.prepare = work, max(1, jobs), time_limit, prepare
        self.idle: list[_Worker] = []
        self.busy: dict[Connection, _Worker] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (*self.idle, *self.busy.values()):
            worker.kill()
        self.idle, self.busy = [], {}

    def run(self, items: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """(name, result) of each item as it is done; a ``Broken`` for one that took too long or ended its process."""
        if self.jobs == 1 and self.time_limit is None:
            yield from ((name, self.work(item)) for name, item in items.items())
            return
        pending = iter(items.items())
        waiting = True
        while waiting or self.busy:
            while waiting and len(self.busy) < self.jobs:
                if (pair := next(pending, None)) is None:
                    waiting = False
                    break
                worker = self.idle.pop() if self.idle else _Worker((self.prepare, self.work, self.jobs > 1))
                worker.begin(*pair)
                self.busy[worker.connection] = worker
            if self.busy:
                yield from self._collect()

    def _collect(self) -> Iterator[tuple[str, Any]]:
        deadlines = [worker.deadline(self.time_limit) for worker in self.busy.values()]
        soonest = min(deadlines) - time.monotonic()
        for connection in wait(list(self.busy), timeout=max(0.0, min(soonest, 3600.0))):
            worker = self.busy[connection]
            try:
                result = worker.receive()
            except EOFError:
                if not worker.ready:
                    raise UserError("a worker process died before it began; try fewer with --nj") from None
                yield self._replace(worker, Broken("its process died, perhaps for lack of memory"))
                continue
            if result is not _READY:
                self.idle.append(self.busy.pop(connection))
                yield worker.name, result
        for worker in [w for w in self.busy.values() if w.deadline(self.time_limit) <= time.monotonic()]:
            if not worker.ready:
                raise UserError(f"a worker process was not ready in {START_SECONDS:g} s; try fewer with --nj")
            yield self._replace(worker, Broken(f"took longer than {self.time_limit:g} s", self.time_limit))

    def _replace(self, worker: "_Worker", broken: Broken) -> tuple[str, Broken]:
        del self.busy[worker.connection]
        worker.kill()
        return worker.name, broken


_READY = object()


class _Worker:
    """One process, and the item that it works on."""

    def __init__(self, duty: tuple[Callable | None, Callable, bool]):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.connection, other = context.Pipe()
        # Pickled here: as an argument a mistake would show only in the child's own traceback.
        payload = pickle.dumps(duty)
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.ready, self.name, self.began = False, "", time.monotonic()
        self.connection.send_bytes(payload)

    def begin(self, name: str, item: Any) -> None:
        self.ready, self.name, self.began = False, name, time.monotonic()
        self.connection.send(item)

    def receive(self) -> Any:
        """What the process says: that it is ready, or its result; raises EOFError when it has died."""
        try:
            kind, value = self.connection.recv()
        except OSError:
            raise EOFError from None
        if kind == "ready":
            self.ready, self.began = True, time.monotonic()
            return _READY
        if kind == "raised":
            raise value
        return value

    def deadline(self, time_limit: float | None) -> float:
        """When the item has had its time (of ``time.monotonic``)."""
        allowed = (time_limit or float("inf")) if self.ready else START_SECONDS
        return self.began + allowed

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection) -> None:
    """The life of a worker: first the work, then items, until the other end is gone."""
    at_work: list[object] = [None]  # a new object for each item, None between them
    threading.Thread(target=_end_with_run, args=(connection, at_work), daemon=True).start()
    try:
        prepare, work, one_thread = pickle.loads(connection.recv_bytes())
        if one_thread:
            import torch

            torch.set_num_threads(1)
        while True:
            item = connection.recv()
            at_work[0] = object()
            try:
                if prepare is not None:
                    prepare(item)
                connection.send(("ready", None))
                answer = "done", work(item)
            except Exception as error:
                answer = "raised", _portable(error)
            at_work[0] = None
            connection.send(answer)
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _end_with_run(connection: Connection, at_work: list[object]) -> None:
    """End this process when the run at the other end is gone, even in the middle of an item.

    While an item is worked on nothing is sent, so a connection that has something to say then says that it is closed.
    """
    while True:
        now = at_work[0]
        if now is None:
            time.sleep(0.2)
        elif connection.poll(0.5) and at_work[0] is now:
            os._exit(1)


def _portable(error: Exception) -> Exception:
    """The error itself, or one that says the same and can be sent."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
