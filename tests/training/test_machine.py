import platform
import sys

import torch

from speechgen.training.machine import describe_machine, keep_memory


def test_glibc_takes_the_setting_and_memory_still_works():
    assert keep_memory() is (platform.libc_ver()[0] == "glibc")
    assert torch.ones(1000, 1000).sum() == 1_000_000


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_memory() is False


def test_the_machine_in_one_line():
    line = describe_machine()
    assert "\n" not in line and "cores" in line and "GiB" in line
    assert f"torch {torch.__version__.split('+')[0]}" in line and f"{torch.get_num_threads()} threads" in line
