"""What this machine is, in one line that can stand beside a figure, and how much memory this process takes."""

from pathlib import Path

from speechgen.training.machine import describe_machine

__all__ = ["describe_machine", "memory_mb", "peak_memory_mb", "reset_peak_memory"]

PROCESS = Path("/proc/self")


def memory_mb() -> float | None:
    """What the process holds, in MB; None where the system does not tell (it is Linux that does)."""
    return _status("VmRSS")


def peak_memory_mb() -> float | None:
    """The most that the process held since the last ``reset_peak_memory``, in MB; None where nobody tells."""
    return _status("VmHWM")


def reset_peak_memory() -> None:
    """Count the peak from now on, where the system can."""
    try:
        (PROCESS / "clear_refs").write_text("5")
    except OSError:
        pass


def _status(key: str) -> float | None:
    try:
        lines = (PROCESS / "status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{key}:")), None)
