"""The machine: what it is, and the settings of the process that make training on a CPU several times faster."""

import ctypes
import os
import platform
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_memory(size: int = 2**30) -> bool:
    """Tell glibc to keep freed blocks of up to ``size`` bytes instead of handing them back to the system.

    Without this every activation of a training step is mapped, zeroed by the kernel and unmapped again.
    Returns whether the C library took the setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(M_MMAP_THRESHOLD, size) and mallopt(M_TRIM_THRESHOLD, 4 * size - 1 & 0x7FFFFFFF))


def describe_machine() -> str:
    """Such as "AMD EPYC 9R14, 2 cores, 4 GiB, torch 2.11.0, 2 threads" (and the GPU, where there is one)."""
    import torch

    cores = os.cpu_count()  # not this thread's own share, which pinning makes one core
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    parts = [_processor(), f"{cores} cores", f"{memory:.0f} GiB", f"torch {torch.__version__.split('+')[0]}"]
    if torch.cuda.is_available():
        parts.append(f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}")
    return ", ".join([*parts, f"{torch.get_num_threads()} threads"])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model") and value.strip():
            return " ".join(value.split())
    return platform.processor() or platform.machine()
