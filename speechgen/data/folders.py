"""Folders that appear complete or not at all."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speechgen.errors import UserError


@contextmanager
def new_folder(target: str | Path) -> Iterator[Path]:
    """A temporary folder beside ``target`` that takes its place when the block ends well, and goes when it does not.

    An older ``target`` stays whole until then. What a killed process of this machine left behind is removed.
    Raises UserError when the disk is full or the place cannot be written.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.name}.{socket.gethostname()}-{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_orphans(target)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        old = temporary.with_suffix(".old")
        if target.exists():
            os.replace(target, old)
        os.replace(temporary, target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror or error}); check the place and the disk"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_orphans(target: Path) -> None:
    prefix = f".{target.name}.{socket.gethostname()}-"
    for path in target.parent.glob(f"{prefix}*.part"):
        number = path.name.removeprefix(prefix).removesuffix(".part")
        if number.isdecimal() and not _is_running(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
