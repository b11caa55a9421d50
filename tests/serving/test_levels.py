"""Loudness and edges of speech as it streams."""

import torch

from speechgen.serving.levels import Edges, Leveller

RATE = 16000


def level(wave: torch.Tensor) -> float:
    """dB root mean square."""
    return 10 * float(wave.square().mean().log10())


def noise(seconds: float, decibel: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 10 ** (decibel / 20) * torch.randn(round(seconds * RATE), generator=generator)


def test_quiet_and_loud_speech_come_closer() -> None:
    leveller = Leveller(RATE, target=-22.0)
    quiet, loud = noise(6, -30), noise(6, -16)
    heard = torch.cat([leveller(block) for block in torch.cat([quiet, loud]).split(640)])
    first, second = heard[: len(quiet)][-2 * RATE :], heard[-2 * RATE :]
    assert abs(level(first) + 24.0) < 1.0  # 6 dB up, which is the most
    assert abs(level(second) + 22.0) < 1.0
    assert heard.abs().max() <= 1


def test_speech_at_the_target_stays_as_it_is() -> None:
    leveller = Leveller(RATE, target=-22.0)
    wave = noise(3, -22)
    heard = torch.cat([leveller(block) for block in wave.split(640)])
    assert abs(level(heard) - level(wave)) < 0.5


def test_silence_is_not_blown_up() -> None:
    leveller = Leveller(RATE)
    heard = torch.cat([leveller(block) for block in noise(3, -70).split(640)])
    assert level(heard) < -65
    assert not leveller(torch.zeros(640)).any()


def test_edges_fade_in_and_out_and_keep_the_rest() -> None:
    wave = torch.ones(1000)
    for size in (1, 7, 80, 81, 1000):
        edges = Edges(RATE)
        heard = torch.cat([edges(block) for block in wave.split(size)] + [edges.end()])
        assert heard.shape == wave.shape
        assert heard[0] == 0 == heard[-1]
        assert torch.equal(heard[80:920], wave[80:920])
        assert (heard[:80].diff() > 0).all() and (heard[-80:].diff() < 0).all()


def test_a_chunk_shorter_than_its_edges_is_whole() -> None:
    edges = Edges(RATE)
    assert not len(edges(torch.ones(30)))
    assert len(edges.end()) == 30
