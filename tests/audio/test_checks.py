"""Every fault that recordings are known to have is told by its kind, with a sentence that says the way out."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechgen.audio.checks import Limits, inspect_audio, prompt_faults, read_inspected, recording_faults
from speechgen.audio.containers import cut_short
from speechgen.audio.files import AudioError, AudioInfo

RATE = 16000


def speech(seconds=2.0, rate=RATE, level=0.3):
    """A tone whose level rises and falls, as syllables do."""
    time = np.arange(round(seconds * rate)) / rate
    return level * np.sin(2 * np.pi * 200 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    return path


def truncated(folder, suffix, **options):
    path = folder / f"a{suffix}"
    noise = np.random.default_rng(0).normal(0, 0.1, RATE * 4)  # a tone would fit in one page
    soundfile.write(path, noise, RATE, **options)
    return cut(path, path.stat().st_size * 6 // 10)


def wav(folder, samples, rate=RATE, name="a.wav", **options):
    soundfile.write(folder / name, samples, rate, **options)
    return folder / name


def three_hours(folder):
    """A sparse file: a second of sound, then silence."""
    path = wav(folder, speech(1.0, 4000), 4000)
    size = 3 * 3600 * 4000 * 2
    head = bytearray(path.read_bytes())
    head[4:8], head[40:44] = struct.pack("<I", size + 36), struct.pack("<I", size)
    path.write_bytes(head)
    with path.open("r+b") as file:
        file.truncate(size + 44)
    return path


def lying_rate(folder, rate):
    path = wav(folder, speech())
    head = bytearray(path.read_bytes())
    head[24:28] = struct.pack("<I", rate)
    path.write_bytes(head)
    return path


def lying_flac_length(folder):
    """The 36 bits of STREAMINFO that state the number of samples claim ten times what is there."""
    path = folder / "a.flac"
    soundfile.write(path, speech(1.0), RATE)
    data = bytearray(path.read_bytes())
    data[22:26] = struct.pack(">I", RATE * 10)
    path.write_bytes(data)
    return path


def clipped(level):
    return np.clip(speech(level=level), -1, 1)


UNREADABLE = {
    "zero bytes": lambda folder: (folder / "a.wav").touch() or folder / "a.wav",
    "header only": lambda folder: wav(folder, np.zeros(0)),
    "text named wav": lambda folder: (folder / "a.wav").write_text("RIFFRAFF, no audio") and folder / "a.wav",
    "rate of 0 Hz": lambda folder: lying_rate(folder, 0),
    "cut in the header": lambda folder: cut(wav(folder, speech()), 30),
}
FATAL = {
    "truncated wav": (lambda folder: truncated(folder, ".wav"), "truncated"),
    "truncated ogg vorbis": (lambda folder: truncated(folder, ".ogg"), "truncated"),
    "truncated opus": (lambda folder: truncated(folder, ".ogg", format="OGG", subtype="OPUS"), "truncated"),
    "header that lies about the rate": (lambda folder: lying_rate(folder, 7), "rate"),
    "nan": (lambda folder: wav(folder, np.array([0.1, np.nan] * 9000), subtype="FLOAT"), "not finite"),
    "infinite": (lambda folder: wav(folder, np.array([0.1, np.inf] * 9000), subtype="DOUBLE"), "not finite"),
    "all zero": (lambda folder: wav(folder, np.zeros(32000)), "silent"),
    "10 ms": (lambda folder: wav(folder, speech(0.01)), "short"),
    "3 h": (three_hours, "long"),
    "square wave at the limit": (lambda folder: wav(folder, np.sign(speech())), "clipped"),
    "integers stored as floats": (lambda folder: wav(folder, speech() * 32768, subtype="FLOAT"), "scale"),
}
TOLD = {
    "clipped": (lambda folder: wav(folder, clipped(1.2)), "clipped"),
    "constant offset": (lambda folder: wav(folder, speech() + 0.3), "offset"),
    "8 bit": (lambda folder: wav(folder, speech(), subtype="PCM_U8"), "8 bit"),
    "6 channels": (lambda folder: wav(folder, np.stack([speech()] * 6, 1)), "channels"),
    "stereo": (lambda folder: wav(folder, np.stack([speech()] * 2, 1)), "channels"),
    "8 kHz": (lambda folder: wav(folder, speech(rate=8000), 8000), "low rate"),
    "flac named wav": (lambda folder: wav(folder, speech(), format="FLAC"), "extension"),
    "very quiet": (lambda folder: wav(folder, speech(level=0.0008)), "quiet"),
    "above full scale": (lambda folder: wav(folder, speech(level=1.5), subtype="FLOAT"), "scale"),
}
SOUND = {
    "16 bit": lambda folder: wav(folder, speech()),
    "float64": lambda folder: wav(folder, speech(), subtype="DOUBLE"),
    "192 kHz": lambda folder: wav(folder, speech(rate=192000), 192000),
    "opus": lambda folder: wav(folder, speech(), name="a.opus", format="OGG", subtype="OPUS"),
    "flac": lambda folder: wav(folder, speech(), name="a.flac"),
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_an_unreadable_recording_raises_one_line_with_its_name(tmp_path, fault):
    with pytest.raises(AudioError) as error:
        inspect_audio(UNREADABLE[fault](tmp_path))
    assert "a.wav" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("fault", FATAL)
def test_a_useless_recording_has_a_fatal_fault_first(tmp_path, fault):
    make, kind = FATAL[fault]
    faults = recording_faults(inspect_audio(make(tmp_path)), sample_rate=4000)
    assert faults[0].fatal and faults[0].kind == kind


@pytest.mark.parametrize("make", (lambda folder: truncated(folder, ".flac"), lying_flac_length))
def test_an_incomplete_flac_is_told_whether_or_not_it_decodes(tmp_path, make):
    try:
        faults = recording_faults(inspect_audio(make(tmp_path)))
        assert faults[0].fatal and faults[0].kind == "truncated"
    except AudioError as error:
        assert "a.flac" in str(error)


@pytest.mark.parametrize("fault", TOLD)
def test_an_odd_recording_is_told_and_kept(tmp_path, fault):
    make, kind = TOLD[fault]
    faults = recording_faults(inspect_audio(make(tmp_path)), sample_rate=RATE)
    assert [fault.kind for fault in faults] == [kind] and not faults[0].fatal


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_recording_has_no_fault(tmp_path, kind):
    assert recording_faults(inspect_audio(SOUND[kind](tmp_path)), sample_rate=RATE) == []


def test_limits_are_the_callers(tmp_path):
    facts = inspect_audio(wav(tmp_path, speech(2.0)))
    assert recording_faults(facts, Limits(max_seconds=1.0))[0].kind == "long"
    assert recording_faults(facts, Limits(min_seconds=3.0))[0].kind == "short"


def test_facts_are_what_was_written(tmp_path):
    samples = np.concatenate([speech(1.0), np.zeros(RATE)]) + 0.001
    facts = inspect_audio(wav(tmp_path, samples, subtype="FLOAT"))
    assert facts.seconds == 2.0 and facts.sample_rate == RATE and facts.channels == 1
    assert facts.active_seconds == pytest.approx(1.0, abs=0.03)
    assert facts.peak == pytest.approx(0.301, abs=0.005)
    assert facts.offset == pytest.approx(0.001, abs=1e-4)
    assert facts.level == pytest.approx(10 * np.log10(np.mean(samples**2)), abs=0.01)
    assert facts.clipped == 0 and facts.finite and not facts.cut_short


def test_a_stretch_is_measured_alone_and_its_samples_come_with_it(tmp_path):
    path = wav(tmp_path, np.concatenate([np.zeros(RATE), speech(1.0), np.zeros(RATE)]), subtype="FLOAT")
    facts, samples = read_inspected(path, 1.0, 2.0)
    assert facts.seconds == 1.0 and np.allclose(samples, speech(1.0), atol=1e-6)
    assert inspect_audio(path, 0.0, 1.0).peak == 0
    assert inspect_audio(path, 1.0, 2.0) == facts


def test_the_length_that_a_recorder_left_open_is_no_fault(tmp_path):
    path = wav(tmp_path, speech())
    head = bytearray(path.read_bytes())
    head[4:8] = head[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(head)
    facts = inspect_audio(path)
    assert facts.seconds == pytest.approx(2.0, abs=0.01) and recording_faults(facts) == []


PROMPTS = {
    "0.2 s": (speech(0.2), RATE, "short", True),
    "0.9 s": (speech(0.9), RATE, "short", True),
    "45 s": (speech(45.0), RATE, "long", False),
    "10 min": (speech(600.0, 4000), 4000, "long", True),
    "silent": (np.zeros(RATE * 3), RATE, "silent", True),
    "nearly silent": (np.concatenate([speech(0.2), np.zeros(RATE * 3)]), RATE, "quiet", True),
    "little sound": (np.concatenate([speech(0.7), np.zeros(RATE * 3)]), RATE, "quiet", False),
    "clipped": (clipped(1.2), RATE, "clipped", False),
    "square wave": (np.sign(speech()), RATE, "clipped", True),
    "stereo": (np.stack([speech()] * 2, 1), RATE, "channels", False),
    "8 kHz": (speech(rate=8000), 8000, "low rate", False),
    "nan": (np.full(RATE * 2, np.nan), RATE, "not finite", True),
}


@pytest.mark.parametrize("fault", PROMPTS)
def test_a_faulty_prompt_is_told_with_the_way_out(tmp_path, fault):
    samples, rate, kind, fatal = PROMPTS[fault]
    faults = prompt_faults(inspect_audio(wav(tmp_path, samples, rate, subtype="FLOAT")), sample_rate=RATE)
    told = next(one for one in faults if one.kind == kind)
    assert told.fatal == fatal and len(told.sentence) > 10 and "\n" not in told.sentence
    assert faults == sorted(faults, key=lambda one: not one.fatal)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_a_good_prompt_has_no_fault(tmp_path, rate):
    assert prompt_faults(inspect_audio(wav(tmp_path, speech(8.0, rate), rate))) == []


def test_an_mp3_may_lack_half_a_second_of_what_its_encoder_counted():
    info = AudioInfo(Path("cut.mp3"), 32000, 1, 143264, "MP3", "MPEG_LAYER_III")
    assert cut_short(info, 126720) == ""
    assert "only 90000 could be decoded" in cut_short(info, 90000)
    assert "only 126720 could be decoded" in cut_short(replace(info, format="FLAC"), 126720)
