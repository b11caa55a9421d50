"""Building the C++ kernel at its first use: once per user, source and level of instructions; never required."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from speechgen.errors import UserError

SOURCE = Path(__file__).with_name("wavenet.cpp")
# Best first: what of the processor's flags a level needs, and how the compiler is told.
LEVELS = {
    "avx512": ("avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx2", "fma"),
    "avx2": ("avx2", "fma"),
    "portable": (),
}
OPTIONS = ("-std=c++17", "-O3", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi")


def levels() -> list[str]:
    """The levels of instructions that this processor has, best first."""
    flags = processor_flags()
    return [level for level, needed in LEVELS.items() if flags.issuperset(needed)]


@functools.cache
def processor_flags() -> frozenset[str]:
    """Names of instruction sets as Linux tells them; elsewhere none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


def compiler() -> str | None:
    """The C++ compiler's path: ``$CXX``, or the first of the usual names."""
    names = [os.environ.get("CXX"), "g++", "c++", "clang++"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


def cache_folder() -> Path:
    """Where built libraries lie: ``$SPEECHGEN_CACHE``, or the user's cache."""
    home = os.environ.get("SPEECHGEN_CACHE")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) if home else Path(cache) / "speechgen"


@functools.cache
def load_library(level: str) -> ctypes.CDLL:
    """The kernel for a level of instructions, built if it is not there yet.

    Raises UserError when it must be built and there is no compiler, or the compiler fails.
    """
    options = [*OPTIONS, *(f"-m{flag.replace('512_', '512')}" for flag in LEVELS[level])]
    if level == "avx512":
        options.append("-mprefer-vector-width=512")
    key = hashlib.sha256(SOURCE.read_bytes() + " ".join([platform.machine(), *options]).encode()).hexdigest()[:16]
    path = cache_folder() / f"wavenet-{level}-{key}.so"
    if not path.exists():
        _build(path, options)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be loaded ({error}); delete it and try again") from None


def available() -> bool:
    """Whether the best kernel is built or can be built."""
    try:
        load_library(levels()[0])
    except UserError:
        return False
    return True


def _build(path: Path, options: list[str]) -> None:
    command = compiler()
    if command is None:
        raise UserError("no C++ compiler (g++) to build the kernel with; use method compiled-f32-numba")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, partial = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be written ({error.strerror}); set SPEECHGEN_CACHE") from None
    os.close(number)
    try:
        done = subprocess.run([command, *options, "-o", partial, str(SOURCE)], capture_output=True, text=True)
        if done.returncode:
            why = next((line for line in done.stderr.splitlines() if "error" in line), f"exit {done.returncode}")
            raise UserError(f"{command} cannot build the kernel ({why.strip()[:160]}); use method compiled-f32-numba")
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
