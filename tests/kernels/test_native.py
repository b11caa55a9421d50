"""The C++ kernel: every level of instructions, every precision, and what happens without a compiler."""

import ctypes
import stat

import numpy as np
import pytest
import torch

from speechgen.errors import UserError
from speechgen.kernels import build
from speechgen.kernels.choice import fastest, make_kernel
from speechgen.kernels.layout import Weights, pack, pack_biases
from speechgen.kernels.native import NativeKernel
from speechgen.models.wavenet import WaveNet, WaveNetConfig

needs_compiler = pytest.mark.skipif(build.compiler() is None, reason="the C++ kernel needs a compiler")


def tiny(**sizes) -> WaveNet:
    torch.manual_seed(0)
    return WaveNet(WaveNetConfig(**{"layers": 5, "cycle": 3, "residual": 24, "skip": 40, "hidden": 20, **sizes})).eval()


def packed(model: WaveNet) -> Weights:
    return pack(model.input, model.stack, model.hidden, model.head)


@needs_compiler
@pytest.mark.parametrize("level", build.LEVELS)
@pytest.mark.parametrize(("streams", "layers"), [(1, 5), (2, 5), (5, 2), (1, 1)])
@torch.no_grad()
def test_every_level_computes_the_logits_of_pytorch(level: str, streams: int, layers: int) -> None:
    if level not in build.levels():
        pytest.skip(f"this processor has no {level}")
    model = tiny(layers=layers)
    codes = torch.randint(256, (streams, 50))
    reference = model.head.logits(model(codes))[:, :, 0].numpy()
    biases = pack_biases(model.stack.biases(None, streams))
    for precision, tolerance in (("f32", 1e-5), ("bf16", 5e-3), ("int8", 2e-2)):
        kernel = NativeKernel(packed(model), streams, 1.0, precision, level)
        _, logits = kernel.run(np.zeros(codes.shape), biases, 50, 0, codes.int().numpy())
        assert np.abs(logits - reference).max() < tolerance, precision


@torch.no_grad()
def test_numba_computes_them_too() -> None:
    for layers in (1, 4):
        model = tiny(layers=layers, head="logistics", mixtures=5, classes=65536)
        codes = torch.randint(65536, (3, 40))
        reference = model.head.logits(model(codes))[:, :, 0].numpy()
        kernel = make_kernel("compiled-f32-numba", packed(model), 3, 1.0)
        biases = pack_biases(model.stack.biases(None, 3))
        _, logits = kernel.run(np.zeros(codes.shape), biases, 40, 0, codes.int().numpy())
        assert np.abs(logits - reference).max() < 1e-5


@needs_compiler
def test_the_library_is_built_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SPEECHGEN_CACHE", str(tmp_path))
    build.load_library.cache_clear()
    first = build.load_library("portable")
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("wavenet-portable-")
    written = path.stat().st_mtime_ns
    build.load_library.cache_clear()
    assert isinstance(build.load_library("portable"), ctypes.CDLL)
    assert first._name == str(path)
    assert path.stat().st_mtime_ns == written
    build.load_library.cache_clear()


@pytest.fixture
def broken_compiler(tmp_path, monkeypatch) -> None:
    """A compiler that fails, and an empty cache."""
    command = tmp_path / "c++"
    command.write_text("#!/bin/sh\necho 'wavenet.cpp:1:1: error: out of order' >&2\nexit 1\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(command))
    monkeypatch.setenv("SPEECHGEN_CACHE", str(tmp_path / "cache"))
    build.load_library.cache_clear()
    yield
    build.load_library.cache_clear()


def test_without_a_working_compiler_numba_is_the_fastest(broken_compiler, tmp_path) -> None:
    assert fastest() == "compiled-f32-numba"
    with pytest.raises(UserError, match="out of order.*use method compiled-f32-numba"):
        make_kernel("compiled-f32", packed(tiny()), 1, 1.0)
    assert not list((tmp_path / "cache").iterdir())


def test_without_any_compiler_numba_is_the_fastest(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("SPEECHGEN_CACHE", str(tmp_path / "cache"))
    build.load_library.cache_clear()
    assert fastest() == "compiled-f32-numba"
    with pytest.raises(UserError, match="no C\\+\\+ compiler"):
        build.load_library("portable")


@needs_compiler
def test_layers_too_wide_for_it_are_refused() -> None:
    with pytest.raises(UserError, match="room for layers of 512"):
        make_kernel("compiled-int8", packed(tiny(hidden=1000)), 1, 1.0)
