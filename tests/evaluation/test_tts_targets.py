"""What a voice is held against: each target met or missed, and left out where it cannot be told."""

import pytest

from speechgen.evaluation.tts_targets import tts_targets


def estimate(mean: float, **more) -> dict:
    return {"mean": mean, "ci95": [mean, mean], **more}


def corpus(name: str, speakers: int, words: float, understood: bool, characters: float, first: float, lost: float):
    return {
        "name": name,
        "n": 60,
        "speakers": speakers,
        "recognisers": {
            "pocketsphinx": {"n": 50, "understands": understood, "wer_ratio": {"speech": estimate(words)}},
            "listener-16k": {"n": 60, "understands": False, "cer_ratio": {"speech": estimate(characters)}},
        },
        "first": {"speech": estimate(first)},
        "dnsmos_lost": estimate(lost),
    }


def together(closer: float, real_time: float, first_audio: float) -> dict:
    return {"closer": estimate(closer, n=47), "x_real_time": real_time, "first_audio": first_audio}


@pytest.mark.parametrize("met", [True, False])
def test_each_target_is_met_or_missed(met: bool) -> None:
    good = corpus("north", 3, 1.09, True, 1.29, 0.51, 0.39), together(0.81, 6.1, 0.19)
    bad = corpus("north", 3, 1.11, True, 1.31, 0.49, 0.41), together(0.79, 5.9, 0.21)
    one, whole = good if met else bad
    lines = tts_targets([one], whole)
    assert [line["met"] for line in lines] == [met] * 7
    assert [line["n"] for line in lines] == [50, 60, 60, 60, 47, 60, 60]
    assert "word error rate of speech / of recordings (pocketsphinx)" in lines[0]["what"]
    assert lines[1]["what"].endswith("(listener-16k, which understands little of them)")


def test_of_one_speaker_neither_characters_nor_other_voices_count() -> None:
    lines = tts_targets([corpus("north", 1, 1.0, True, 1.0, 1.0, 0.0)], together(1.0, 9.0, 0.1))
    assert [line["target"] for line in lines] == [1.1, 0.4, 0.8, 6.0, 0.2]


def test_what_could_not_be_measured_is_no_target() -> None:
    one = corpus("north", 3, 1.0, False, 1.0, 1.0, 0.0)
    one |= {"first": {"speech": None}, "dnsmos_lost": None}
    one["recognisers"]["listener-16k"]["cer_ratio"] = None
    assert tts_targets([one], {"closer": None, "x_real_time": None, "first_audio": None}) == []
