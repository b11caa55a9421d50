"""The Codec tab's work, without a browser."""

from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

import speechgen
from speechgen.audio.files import read_audio, write_audio
from speechgen.errors import UserError
from speechgen.serving import comparison
from speechgen.serving.comparison import Comparer
from speechgen.serving.limits import Limits
from speechgen.tokenizers.sgc import read_sgc


@pytest.fixture
def comparer(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comparer:
    monkeypatch.setattr(comparison, "SHOWN", ("si_sdr", "mel"))
    codec = speechgen.load(str(tiny_models / "codec"))
    return Comparer(codec, "tiny", tmp_path, Limits(compared_seconds=2.0))


def test_a_recording_is_heard_before_and_after(comparer: Comparer, prompt_file: Path) -> None:
    low, high = comparer.bitrates()[0], comparer.bitrates()[-1]
    small, large = comparer.compare(str(prompt_file), low), comparer.compare(str(prompt_file), high)
    original, rate = read_audio(small.original)
    torch.testing.assert_close(original, read_audio(prompt_file)[0][: 2 * rate], atol=1e-4, rtol=0)
    decoded, _ = read_audio(small.decoded)
    assert len(decoded) == len(original) and decoded.any()
    assert not torch.equal(decoded, read_audio(large.decoded)[0])
    assert read_sgc(small.codes).codes.shape[0] == 1 and read_sgc(large.codes).codes.shape[0] == 3
    assert f"{small.codes.stat().st_size} bytes" in small.report.replace(",", "")
    assert "first 2 of 4 seconds" in small.report
    assert imread(small.picture).std() > 0.05
    assert [name for name, _, _ in small.rows] == ["SI-SDR (dB)", "mel distance (dB)"]
    assert float(small.rows[1][1]) > 0 and small.rows[1][2] == "less"


def test_metrics_whose_package_is_missing_are_left_out(
    comparer: Comparer, prompt_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "SHOWN", ("pesq_wb", "mel"))
    monkeypatch.setattr(comparison.importlib.util, "find_spec", lambda name: None)
    assert [name for name, _, _ in comparer.compare(str(prompt_file), 0.5).rows] == ["mel distance (dB)"]


def test_a_metric_without_a_value_says_why(
    comparer: Comparer, prompt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "SHOWN", ("stoi", "mel"))
    wave, rate = read_audio(prompt_file)
    write_audio(tmp_path / "word.wav", wave[: rate // 5], rate)  # STOI wants 0.4 s of speech
    (_, stoi, _), (_, mel, _) = comparer.compare(str(tmp_path / "word.wav"), comparer.bitrates()[0]).rows
    assert stoi.startswith("none (") and float(mel) > 0


def test_what_cannot_be_coded_is_refused(comparer: Comparer, prompt_file: Path, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not audio")
    write_audio(tmp_path / "silent.wav", torch.zeros(16000), 16000)
    for recording, kbps, hint in [
        (None, 0.5, "Record or upload"),
        (str(tmp_path / "text.wav"), 0.5, "This recording is no readable audio"),
        (str(tmp_path / "silent.wav"), 0.5, "This recording is silent"),
        (str(prompt_file), 99.0, "kbit/s"),
    ]:
        with pytest.raises(UserError, match=hint):
            comparer.compare(recording, kbps)
