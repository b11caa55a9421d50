"""One run at a time in one place."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from speechgen.errors import UserError
from speechgen.stages.marks import mark_path


@contextlib.contextmanager
def hold(path: Path, patience: float = 2.0) -> Iterator[None]:
    """Keep other runs away from a path; raises UserError when one is still there after ``patience`` seconds.

    The lock goes with the process, however it ends, so a killed run leaves nothing to clean up.
    """
    lock = mark_path(str(path)).with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+", encoding="utf-8") as file:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    file.seek(0)
                    holder = file.read().strip()
                    raise UserError(f"{path}: another run (process {holder}) works here; wait for it") from None
                time.sleep(0.1)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
