"""What this machine is, in one line that can stand beside a figure."""

from speechgen.training.machine import describe_machine

__all__ = ["describe_machine"]
