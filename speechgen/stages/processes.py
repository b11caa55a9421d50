"""One command of a stage, as a process that does not outlive the run."""

import contextlib
import ctypes
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from speechgen.errors import UserError


class CommandFailed(UserError):
    """A command of a stage ended with a status other than 0; ``status`` is what the run should end with."""

    def __init__(self, command: Sequence[str], status: int) -> None:
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"failed with status {status}"
        super().__init__(f"{how}: {shlex.join(command)}")
        self.status = 128 - status if status < 0 else status


def call(command: Sequence[str]) -> None:
    """Run one command to its end. A run that ends before, even by SIGKILL, takes the command with it.

    Raises CommandFailed for a status other than 0 and UserError when there is no such program.
    """
    try:
        child = subprocess.Popen(command, preexec_fn=_die_with_parent if sys.platform == "linux" else None)
    except FileNotFoundError:
        raise UserError(f"{command[0]}: no such program; is it installed?") from None
    previous = signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
    try:
        status = child.wait()
    except KeyboardInterrupt:  # the terminal has told the command, too: let it clean up
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=30)
        child.kill()
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
    if status:
        raise CommandFailed(command, status)


def _die_with_parent() -> None:
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
