"""The same work on many items in several processes."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from speechgen.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 16  # items handed over at once: enough to hide the hand-over, few enough to keep a progress bar moving


def parallel_map(work: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """Results in the order of ``items``; with ``jobs`` > 1 from that many processes.

    ``work`` is a function of a module, and raises nothing that it can return instead. Raises UserError when one of
    the processes dies.
    """
    if jobs <= 1 or len(items) <= CHUNK:
        yield from map(work, items)
        return
    # Spawned, not forked: a forked child may hang in the thread pools that torch has opened.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_thread)
    try:
        yield from pool.map(work, items, chunksize=CHUNK)
    except BrokenProcessPool:
        raise UserError("a worker process died, perhaps for lack of memory; try fewer with --nj") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
