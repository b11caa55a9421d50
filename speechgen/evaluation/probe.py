"""What a system costs besides bits: how long it must wait, and how much memory it takes. Measured, never looked up."""

import ctypes
import gc
from pathlib import Path

import torch
from torch import Tensor

from speechgen.evaluation.baselines import System, fit

SECONDS = 2.4  # of sound to probe with
CHANGES = 8  # places at which the sound is changed, so that one falls late into a frame, whatever its length
CHANGED = 1e-3  # of the level: what counts as a difference, well above the ringing of resampling filters
MEGABYTE = 1e6


def probe(system: System, wave: Tensor, sample_rate: int) -> dict[str, float | None]:
    """``delay_ms`` and ``peak_memory_mb`` of a system on a recording (T,), which is repeated to a few seconds."""
    repeats = int(SECONDS * sample_rate) // max(1, len(wave)) + 1
    wave = fit(wave.repeat(repeats), int(SECONDS * sample_rate))
    return {
        "delay_ms": delay_ms(system, wave, sample_rate),
        "peak_memory_mb": peak_memory_mb(system, wave, sample_rate),
    }


def delay_ms(system: System, wave: Tensor, sample_rate: int) -> float | None:
    """How far ahead the output listens: its algorithmic delay, frame and look-ahead together.

    From some point on the input is changed; where the output changes first, it has waited from there to that point.
    The longest wait of several points counts. None when an output changes from its very start on, since then the
    system looks at the whole recording and the measure says nothing.
    """
    level = float(wave.square().mean().sqrt()) or 0.1
    noise = level * torch.randn(len(wave), generator=torch.Generator().manual_seed(0))
    if hasattr(system, "settled"):
        system = system.settled(wave, sample_rate)
    plain, _ = system.reconstruct(wave, sample_rate)
    longest = 0
    for change in range(CHANGES):
        # 13 ms apart: distinct phases of frames of 10, 20, 40 and 80 ms.
        at = int((0.5 * SECONDS + 0.013 * change) * sample_rate)
        changed, _ = system.reconstruct(torch.cat([wave[:at], noise[at:]]), sample_rate)
        different = ((changed - plain).abs() > CHANGED * level).nonzero()
        if len(different):
            longest = max(longest, at - int(different[0]))
    return None if longest >= 0.45 * SECONDS * sample_rate else 1000 * longest / sample_rate


def peak_memory_mb(system: System, wave: Tensor, sample_rate: int) -> float | None:
    """The most memory, in MB, that coding takes beyond what the process held before, with the model's weights.

    None where the system (Linux has it) does not tell, or the work is done by another program.
    """
    if not getattr(system, "in_process", True):
        return None
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what earlier work left unused would hide what this one takes
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back
        before = _status("VmRSS")
        system.reconstruct(wave, sample_rate)
        taken = _status("VmHWM") - before
    except (OSError, AttributeError, KeyError):
        return None
    codec = getattr(system, "codec", None)
    weights = sum(t.nbytes for t in codec.state_dict().values()) if isinstance(codec, torch.nn.Module) else 0
    return (taken + weights) / MEGABYTE


def _status(key: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[key].split()[0]) * 1024
