"""`speechgen data mini`: the generated corpus."""

import pytest

from speechgen.audio.files import read_audio, read_audio_info
from speechgen.data.kaldi import DataDir

pytest.importorskip("espeakng_loader", reason="the [g2p] extra is not installed")


@pytest.fixture
def mini(run, tmp_path):
    status, out, _ = run("data", "mini", "--out", tmp_path / "data", "--speakers", "3", "--sentences", "6")
    assert status == 0 and "train: 12 utterances, 3 speakers" in out
    return tmp_path / "data"


def test_the_corpus_is_sound(run, mini):
    for split, count in (("train", 12), ("dev", 3), ("test", 3)):
        status, out, _ = run("data", "check", mini / split, "--sample_rate", "16000", "--max_bad", "0")
        assert status == 0 and f"{count} good, 0 bad, 0 warnings" in out


def test_speakers_speak_both_languages_in_voices_of_their_own(mini):
    utterances = [one for split in ("train", "dev", "test") for one in DataDir.read(mini / split).utterances]
    assert {one.speaker: one.language for one in utterances} == {"mini01": "en", "mini02": "de", "mini03": "en"}
    assert {one.extras["spk2gender"] for one in utterances} == {"m", "f"}
    assert all(read_audio_info(one.path).sample_rate == 16000 for one in utterances)
    assert all(0.8 < read_audio_info(one.path).seconds < 10 for one in utterances)


def test_no_sentence_is_in_two_splits(mini):
    train, dev, test = (
        {one.text for one in DataDir.read(mini / split).utterances} for split in ("train", "dev", "test")
    )
    assert not train & dev and not train & test and not dev & test


def test_the_same_seed_gives_the_same_bytes_and_another_other_speech(run, mini, tmp_path):
    run("data", "mini", "--out", tmp_path / "again", "--speakers", "3", "--sentences", "6")
    run("data", "mini", "--out", tmp_path / "other", "--speakers", "3", "--sentences", "6", "--seed", "1")
    files = [path.relative_to(mini) for path in mini.rglob("*") if path.is_file()]
    assert all((mini / path).read_bytes() == (tmp_path / "again" / path).read_bytes() for path in files)
    assert (mini / "train" / "text").read_bytes() != (tmp_path / "other" / "train" / "text").read_bytes()


def test_the_corpus_may_be_moved(run, mini, tmp_path):
    mini.rename(tmp_path / "moved")
    wave, rate = read_audio(DataDir.read(tmp_path / "moved" / "dev").utterances[0].path)
    assert rate == 16000 and wave.abs().max() > 0.1


@pytest.mark.parametrize(
    "options, told", [(("--speakers", "0"), "between 1 and 99"), (("--sentences", "2"), "between 3")]
)
def test_impossible_sizes_are_refused(run, tmp_path, options, told):
    status, _, err = run("data", "mini", "--out", tmp_path / "data", *options)
    assert status == 2 and told in err and not (tmp_path / "data").exists()
