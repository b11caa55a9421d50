"""speechgen dump units: what a TTS learns from, made by a codec and a listener of random weights."""

import numpy as np
import pytest
import torch

from speechgen.audio.resample import resample
from speechgen.data.shards import Example, read_shards
from speechgen.data.units import DONE, read_units
from speechgen.models.align import align
from speechgen.models.dump import dump_units
from speechgen.models.load import load, unit_fingerprint
from speechgen.serving.session import decode_stream
from speechgen.tokenizers.base import Tokens


@pytest.fixture
def dump(run, spoken_dir, tmp_path):
    assert run("dump", "audio", spoken_dir, tmp_path / "dump", "--sample_rate", "16000")[0] == 0
    return tmp_path / "dump"


def test_units_are_latents_codes_and_durations(run, dump, tiny_models, tmp_path):
    out = tmp_path / "units"
    models = "--codec", tiny_models / "codec", "--listener", tiny_models / "listener"
    status, said, _ = run("dump", "units", dump, out, *models)
    assert status == 0 and "4 utterances, 0 skipped" in said
    codec, listener = load(tiny_models / "codec"), load(tiny_models / "listener")
    assert f'"codec": "{unit_fingerprint(codec)}"' in (out / DONE).read_text()
    examples = read_shards(dump)
    for one, example in zip(read_units(out), examples, strict=True):
        assert (one.id, one.speaker, one.language, one.text) == (
            example.id,
            example.speaker,
            example.language,
            example.text,
        )
        wave = torch.from_numpy(example.audio / np.float32(32768))
        latents = codec.latents(wave[None, None])[0]
        assert one.latents.dtype == np.float16 and one.latents.shape == latents.shape
        torch.testing.assert_close(torch.from_numpy(one.latents).float(), latents, atol=2e-3, rtol=2e-3)
        assert np.array_equal(one.codes, codec.encode(wave[None, None]).values[0].T.numpy())
        assert one.symbols[0] == one.symbols[-1] == " "
        assert one.durations.sum() == one.frames and (one.durations >= 1).all()
        expected = align(listener, wave, one.symbols).frames(one.frames, codec.frame_rate)[1]
        assert np.array_equal(one.durations, expected)


def test_copies_at_other_speeds_are_other_speakers(run, dump, tiny_models, tmp_path):
    models = "--codec", tiny_models / "codec", "--listener", tiny_models / "listener"
    asked = "--speed_perturb_factors", "0.8,1.25"
    status, said, _ = run("dump", "units", dump, tmp_path / "units", *models, *asked)
    assert status == 0 and "12 utterances, 0 skipped" in said
    recorded, slower, faster = read_units(tmp_path / "units")[:3]
    assert (slower.id, faster.id) == (f"{recorded.id}-sp0.8", f"{recorded.id}-sp1.25")
    assert slower.speaker == f"{recorded.speaker}-sp0.8" and slower.symbols == faster.symbols == recorded.symbols
    for copy, speed in ((slower, 0.8), (faster, 1.25)):
        assert copy.durations.sum() == copy.frames and (copy.durations >= 1).all()
        assert abs(copy.frames - recorded.frames / speed) <= 2
        # Each symbol ends where it did, in time that passes as fast as the speed says.
        apart = copy.durations.cumsum() * speed - recorded.durations.cumsum()
        assert np.abs(apart).max() <= 0.1 * recorded.frames
    example = read_shards(dump)[0]
    wave = torch.from_numpy(example.audio / np.float32(32768))
    codec = load(tiny_models / "codec")
    latents = codec.latents(resample(wave, 20000, 16000)[None, None])[0]
    torch.testing.assert_close(torch.from_numpy(faster.latents).float(), latents, atol=2e-3, rtol=2e-3)


def test_copies_may_be_of_some_speakers_only(run, dump, tiny_models, tmp_path):
    speakers = sorted({example.speaker for example in read_shards(dump)})
    models = "--codec", tiny_models / "codec", "--listener", tiny_models / "listener"
    asked = *models, "--speed_perturb_factors", "0.9"
    status, _, _ = run("dump", "units", dump, tmp_path / "one", *asked, "--perturbed_speakers", speakers[0])
    assert status == 0
    assert {one.speaker for one in read_units(tmp_path / "one")} == {*speakers, f"{speakers[0]}-sp0.9"}
    status, _, told = run("dump", "units", dump, tmp_path / "none", *asked, "--perturbed_speakers", "nobody")
    assert status == 2 and "nobody" in told and not (tmp_path / "none").exists()


@pytest.mark.parametrize("factors", ["1", "0.9,x", "3", "-1"])
def test_a_speed_that_is_none_is_refused(run, dump, tiny_models, tmp_path, factors):
    models = "--codec", tiny_models / "codec", "--listener", tiny_models / "listener"
    status, _, told = run("dump", "units", dump, tmp_path / "units", *models, "--speed_perturb_factors", factors)
    assert status == 2 and "expected speeds from 0.5 to 2, not 1" in told


def test_what_cannot_be_aligned_is_named_and_bounded(run, spoken_dir, tiny_models, tmp_path):
    text = (spoken_dir / "text").read_text(encoding="utf-8")
    text = text.replace("Joy.", " ".join(["joy"] * 200)).replace("A quick fox!", "你好")
    (spoken_dir / "text").write_text(text, encoding="utf-8")
    run("dump", "audio", spoken_dir, tmp_path / "dump")
    models = "--codec", tiny_models / "codec", "--listener", tiny_models / "listener"
    status, _, told = run("dump", "units", tmp_path / "dump", tmp_path / "units", *models)
    assert status == 2 and "2 of 4 utterances failed, more than --max_bad 0.1" in told
    assert "skipped mini01-02: " in told and "do not fit into" in told and "skipped kathleen-01: " in told
    status, said, _ = run("dump", "units", tmp_path / "dump", tmp_path / "units", *models, "--max_bad", "0.6")
    assert status == 0 and "2 utterances, 2 skipped" in said
    assert [one.id for one in read_units(tmp_path / "units")] == ["kathleen-00", "mini02-03"]


def test_a_dump_that_is_missing(run, tiny_models, tmp_path):
    status, _, told = run("dump", "units", tmp_path / "nowhere", tmp_path / "units", "--codec", tiny_models / "codec")
    assert status == 2 and "nowhere: is no finished dump" in told


def test_more_symbols_than_frames_is_a_skip(tiny_models):
    """A codec of few frames a second may have fewer than there are phonemes, though the listener has enough."""
    codec, listener = load(tiny_models / "codec"), load(tiny_models / "listener")
    audio = (3000 * np.sin(np.arange(16000) / 9)).astype(np.int16)
    example = Example("x", "s", "the lazy dog", "en", 16000, audio)
    codec.latents = lambda wave: torch.zeros(1, 5, 8)
    skipped: dict[str, str] = {}
    done = []
    assert list(dump_units(codec, listener, [example], skipped.__setitem__, lambda: done.append(1))) == []
    assert "phonemes in 5 frames" in skipped["x"] and done == [1]


def test_audio_at_another_rate_is_resampled_for_each_model(tiny_models):
    codec, listener = load(tiny_models / "codec"), load(tiny_models / "listener")
    audio = (3000 * np.sin(np.arange(24000) / 9)).astype(np.int16)
    example = Example("x", "s", "the lazy dog", "en", 24000, audio)
    (one,) = dump_units(codec, listener, [example], lambda id, reason: pytest.fail(reason))
    assert one.frames == codec.latents(torch.zeros(1, 1, 16000)).shape[1]


@pytest.mark.parametrize("family", ["encodec", "dac"])
def test_a_codec_of_transformers_is_a_tokenizer_too(family, run, dump, tiny_models, tmp_path):
    import transformers

    torch.manual_seed(0)
    if family == "encodec":
        config = transformers.EncodecConfig(num_filters=2, hidden_size=8, codebook_size=16, num_lstm_layers=1)
        theirs = transformers.EncodecModel(config)
        for layer in theirs.quantizer.layers:
            layer.codebook.embed.normal_()
    else:
        sizes = {"encoder_hidden_size": 2, "decoder_hidden_size": 16, "downsampling_ratios": [2, 4, 5, 8]}
        theirs = transformers.DacModel(transformers.DacConfig(**sizes, codebook_size=16, codebook_dim=4))
    theirs.save_pretrained(tmp_path / family)
    models = "--codec", tmp_path / family, "--listener", tiny_models / "listener"
    status, said, _ = run("dump", "units", dump, tmp_path / "units", *models)
    assert status == 0 and "4 utterances, 0 skipped" in said
    codec = load(tmp_path / family)
    for one, example in zip(read_units(tmp_path / "units"), read_shards(dump), strict=True):
        wave = resample(torch.from_numpy(example.audio / np.float32(32768)), 16000, codec.sample_rate)[None, None]
        codes = codec.encode(wave).values
        assert np.array_equal(one.codes, codes[0].T.numpy()) and one.durations.sum() == one.frames
    spoken = torch.cat(list(decode_stream(codec, codes.transpose(1, 2).split(7, 1), "codes")), -1)
    torch.testing.assert_close(spoken, codec.decode(Tokens(codes, "discrete")), atol=1e-4, rtol=1e-3)
