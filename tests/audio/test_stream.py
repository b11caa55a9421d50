"""Audio piece by piece: the same samples as at once."""

import io

import pytest
import soundfile
import torch

from speechgen.audio.files import AudioError, read_audio, write_audio
from speechgen.audio.stream import AudioWriter, WavPipe, read_pieces


def noise(*shape: int) -> torch.Tensor:
    return 0.2 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rate, wanted", [(16000, 16000), (44100, 16000), (8000, 24000), (11025, 16000)])
@pytest.mark.parametrize("samples", [1, 3000, 12345])
def test_pieces_are_the_whole(tmp_path, rate, wanted, samples):
    write_audio(tmp_path / "a.wav", noise(samples), rate)
    pieces = list(read_pieces(tmp_path / "a.wav", wanted, seconds=0.1))
    whole, _ = read_audio(tmp_path / "a.wav", wanted)
    torch.testing.assert_close(torch.cat(pieces, 1)[0], whole, atol=1e-5, rtol=0)
    assert max(piece.shape[1] for piece in pieces) <= 0.4 * wanted


def test_channels_are_kept_or_mixed(tmp_path):
    write_audio(tmp_path / "a.flac", noise(2, 5000), 16000)
    each = torch.cat(list(read_pieces(tmp_path / "a.flac", 8000, mix=False, seconds=0.1)), 1)
    mixed = torch.cat(list(read_pieces(tmp_path / "a.flac", 8000, seconds=0.1)), 1)
    assert each.shape == (2, 2500) and mixed.shape == (1, 2500)
    torch.testing.assert_close(each.mean(0), mixed[0], atol=1e-5, rtol=0)


def test_bad_recordings_are_named(tmp_path):
    soundfile.write(tmp_path / "nan.wav", [0.0, float("nan")], 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "empty.wav", [], 16000)
    for name, reason in (("nan", "NaN or infinite"), ("empty", "holds no samples"), ("absent", "no such file")):
        with pytest.raises(AudioError, match=f"{name}.wav: .*{reason}"):
            list(read_pieces(tmp_path / f"{name}.wav", 16000))


def test_what_is_written_in_pieces_is_what_is_written_at_once(tmp_path):
    wave = noise(2, 4000) * 5
    write_audio(tmp_path / "whole.wav", wave, 16000)
    with AudioWriter(tmp_path / "pieces.wav", 16000, 2) as writer:
        for piece in wave.split([1, 2999, 1000], dim=1):
            writer.write(piece)
        assert not (tmp_path / "pieces.wav").exists()
    assert (tmp_path / "pieces.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()


def test_nothing_is_left_of_a_failed_write(tmp_path):
    with pytest.raises(ZeroDivisionError), AudioWriter(tmp_path / "a.wav", 16000, 1) as writer:
        writer.write(noise(1, 100))
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    with pytest.raises(AudioError, match="does not exist"):
        AudioWriter(tmp_path / "no" / "a.wav", 16000, 1)


def test_a_pipe_gets_plain_wav():
    pipe, wave = io.BytesIO(), noise(2, 900).clamp(-0.9, 0.9)
    sink = WavPipe(pipe, 24000, 2, 900)
    for piece in wave.split(400, dim=1):
        sink.write(piece)
    read, rate = soundfile.read(io.BytesIO(pipe.getvalue()), dtype="float32")
    assert rate == 24000
    torch.testing.assert_close(torch.from_numpy(read).T, wave, atol=1e-4, rtol=0)
