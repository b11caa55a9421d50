"""Delay and memory of systems whose delay is known."""

import pytest
import torch

from speechgen.evaluation.baselines import Opus, Recording
from speechgen.evaluation.coding import CodecSystem, load_codec
from speechgen.evaluation.probe import delay_ms, probe

RATE = 16000


def sound(seconds=2.4):
    return 0.1 * torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(1))


class Frames:
    """Holds the mean of each frame: a sample waits for the end of its frame."""

    name, facts = "frames-1k", {}

    def __init__(self, size):
        self.size = size

    def reconstruct(self, wave, sample_rate):
        frames = wave[: len(wave) // self.size * self.size].view(-1, self.size).mean(1)
        return torch.nn.functional.pad(frames.repeat_interleave(self.size), (0, len(wave) % self.size)), 1


class Normaliser:
    """Looks at the whole recording before it puts out anything."""

    name, facts = "normaliser-1k", {}

    def reconstruct(self, wave, sample_rate):
        return wave / wave.abs().sum() * 1000, 1


@pytest.mark.parametrize("size", [160, 320, 1280])
def test_the_delay_of_frames_is_their_length(size):
    frame = 1000 * size / RATE
    assert 0.8 * frame <= delay_ms(Frames(size), sound(), RATE) <= frame


def test_what_waits_for_nothing_has_no_delay():
    assert delay_ms(Recording(), sound(), RATE) == 0


def test_what_looks_at_everything_has_no_measure():
    assert delay_ms(Normaliser(), sound(), RATE) is None


def test_opus_waits_for_a_frame_and_a_little():
    assert 15 < delay_ms(Opus(16), sound(), RATE) < 40


def test_our_codec_waits_for_a_hop_and_its_decoder(tiny_models):
    codec = load_codec(tiny_models / "codec")
    costs = probe(CodecSystem("codec", codec, 3), sound(0.7), RATE)
    assert 0.3 * codec.delay / RATE < costs["delay_ms"] / 1000 <= (codec.hop + codec.delay) / RATE + 1e-9
    weights = sum(tensor.nbytes for tensor in codec.state_dict().values()) / 1e6
    assert costs["peak_memory_mb"] is None or costs["peak_memory_mb"] >= weights
