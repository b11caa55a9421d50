"""speechgen codec: encode, decode, info; eval with its reports; wrong uses."""

import io
import json
import shutil
import subprocess
import sys

import pytest
import soundfile
import torch
from typer.testing import CliRunner

from speechgen.audio.files import read_audio, write_audio
from speechgen.cli import app
from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.load import save_model
from speechgen.tokenizers.codec import CodecConfig, build_codec
from speechgen.tokenizers.sgc import unpack_sgc


def call(*words, status=0):
    done = CliRunner().invoke(app, ["codec", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture
def clip(tmp_path, prompt_file):
    """A second and a bit of the prompt."""
    wave, rate = read_audio(prompt_file)
    write_audio(tmp_path / "clip.wav", wave[: int(1.23 * rate)], rate)
    return tmp_path / "clip.wav"


@pytest.fixture
def codec(tiny_models):
    return tiny_models / "codec"


def test_there_and_back(tmp_path, clip, codec):
    said = call("encode", clip, tmp_path / "clip.sgc", "--kbps", 0.4, "--model", codec)
    size = (tmp_path / "clip.sgc").stat().st_size
    assert f"{size} bytes, 1.23 s" in said
    call("decode", tmp_path / "clip.sgc", tmp_path / "back.wav", "--model", codec)
    original, rate = read_audio(clip)
    back, back_rate = read_audio(tmp_path / "back.wav")
    assert (len(back), back_rate) == (len(original), rate)
    said = call("info", tmp_path / "clip.sgc")
    assert "model: codec" in said and "1.23 s at 16000 Hz" in said and "codes: 2 of 16" in said
    assert "damage: none" in said


def test_what_the_file_gives_is_what_the_codec_gives(tmp_path, clip, codec):
    import speechgen

    call("encode", clip, tmp_path / "clip.sgc", "--kbps", 0.6, "--model", codec)
    call("decode", tmp_path / "clip.sgc", tmp_path / "back.wav", "--model", codec)
    model = speechgen.load(str(codec))
    wave, _ = read_audio(clip)
    with torch.no_grad():
        expected = model.decode(model.encode(wave[None, None]))[0, 0, : len(wave)].clamp(-1, 1)
    torch.testing.assert_close(read_audio(tmp_path / "back.wav")[0], expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_fewer_bits_give_nearly_the_same_in_the_same_files(tmp_path, clip, codec, precision):
    """Codes made or read in fewer bits are codes of the same model."""
    call("encode", clip, tmp_path / "few.sgc", "--kbps", 0.6, "--model", codec, "--precision", precision)
    call("encode", clip, tmp_path / "all.sgc", "--kbps", 0.6, "--model", codec)
    codes = [unpack_sgc((tmp_path / name).read_bytes()).codes for name in ("few.sgc", "all.sgc")]
    assert codes[0].shape == codes[1].shape and (codes[0] == codes[1]).float().mean() > 0.8
    call("decode", tmp_path / "all.sgc", tmp_path / "all.wav", "--model", codec)
    call("decode", tmp_path / "all.sgc", tmp_path / "few.wav", "--model", codec, "--precision", precision)
    whole, near = (read_audio(tmp_path / name)[0] for name in ("all.wav", "few.wav"))
    assert 0 < (near - whole).norm() < 0.1 * whole.norm()


def test_a_recording_is_not_written_over(tmp_path, clip, codec):
    before = clip.read_bytes()
    (tmp_path / "link.wav").symlink_to(clip)
    for out, hint in ((clip, "the recording itself"), (tmp_path / "link.wav", "the recording itself")):
        with pytest.raises(UserError, match=hint):
            call("encode", clip, out, "--model", codec)
    with pytest.raises(UserError, match="is a folder"):
        call("encode", clip, tmp_path, "--model", codec)
    with pytest.raises(UserError, match="make it first"):
        call("encode", clip, tmp_path / "none/a.sgc", "--model", codec)
    assert clip.read_bytes() == before


def test_files_outlive_the_entropy_model_they_were_coded_with(tmp_path, clip, codec):
    copied = shutil.copytree(codec, tmp_path / "codec")
    waves = []
    for seed in (0, 1):
        said = call("fit-entropy", copied, clip, "--steps", 2, "--seed", seed)
        assert ("was there and lies beside it now" in said) == bool(seed)
        if not seed:
            call("encode", clip, tmp_path / "a.sgc", "--kbps", 0.6, "--model", copied)
            assert "entropy coding: model" in call("info", tmp_path / "a.sgc")
        call("decode", tmp_path / "a.sgc", tmp_path / "a.wav", "--model", copied)
        waves.append(read_audio(tmp_path / "a.wav")[0])
    assert torch.equal(*waves)
    with pytest.raises(UserError, match="comes with the package.*--out"):
        call("fit-entropy", "speech-16k", clip)


def test_an_export_does_not_take_a_file_s_place(clip, codec):
    before = clip.read_bytes()
    with pytest.raises(UserError, match="is a file; name a folder"):
        call("export", codec, "--out", clip)
    assert clip.read_bytes() == before


def test_only_spectral_codecs_compute_in_fewer_bits(tmp_path, clip):
    config = make_config(
        CodecConfig, {"encoder": {"kind": "seanet", "channels": 2}, "decoder": {"kind": "seanet", "channels": 2}}
    )
    save_model(tmp_path / "seanet", config, build_codec(config), "# seanet\n")
    with pytest.raises(UserError, match="precision int8: only spectral codecs"):
        call("encode", clip, tmp_path / "a.sgc", "--model", tmp_path / "seanet", "--precision", "int8")
    assert not (tmp_path / "a.sgc").exists()


def test_a_damaged_file_is_decoded_up_to_the_damage(tmp_path, codec, prompt_file):
    call("encode", prompt_file, tmp_path / "a.sgc", "--kbps", 0.4, "--model", codec)
    content = bytearray((tmp_path / "a.sgc").read_bytes())
    content[-3] ^= 0xFF
    (tmp_path / "a.sgc").write_bytes(content)
    said = call("decode", tmp_path / "a.sgc", tmp_path / "a.wav", "--model", codec, status=1)
    assert "block 1 is damaged: 4.00 of" in said
    wave, rate = read_audio(tmp_path / "a.wav")
    assert 3.9 < len(wave) / rate <= 4.0
    assert "block 1 is damaged" in call("info", tmp_path / "a.sgc", status=1)


def test_what_follows_the_end_of_a_file_is_told(tmp_path, codec, clip):
    call("encode", clip, tmp_path / "a.sgc", "--kbps", 0.4, "--model", codec)
    twice = tmp_path / "twice.sgc"
    twice.write_bytes((tmp_path / "a.sgc").read_bytes() * 2)
    assert "twice.sgc: more follows its end" in call("info", twice)
    assert "more follows" in call("decode", twice, tmp_path / "twice.wav", "--model", codec)
    assert "more follows" not in call("decode", tmp_path / "a.sgc", tmp_path / "a.wav", "--model", codec)
    assert (tmp_path / "twice.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()


def test_a_stretch_is_what_the_whole_has_there(tmp_path, codec, prompt_file):
    call("encode", prompt_file, tmp_path / "a.sgc", "--kbps", 0.6, "--model", codec)
    call("decode", tmp_path / "a.sgc", tmp_path / "a.wav", "--model", codec)
    whole, rate = read_audio(tmp_path / "a.wav")
    for start, end in ((0, 0.5), (1.2345, 1.3), (3.5, None), (None, 2), (0.01, 9)):
        bounds = (["--from", start] if start is not None else []) + (["--to", end] if end is not None else [])
        call("decode", tmp_path / "a.sgc", tmp_path / "part.wav", "--model", codec, *bounds)
        first, last = round((start or 0) * rate), len(whole) if end is None else round(end * rate)
        torch.testing.assert_close(read_audio(tmp_path / "part.wav")[0], whole[first:last], atol=1e-4, rtol=0)
    for bounds in (("--from", 9), ("--from", 2, "--to", 1)):
        with pytest.raises(UserError, match="there is no sound; the file lasts 4.00 s"):
            call("decode", tmp_path / "a.sgc", tmp_path / "x.wav", "--model", codec, *bounds)


def test_stereo_is_mixed_or_coded_as_asked(tmp_path, clip, codec):
    wave, rate = read_audio(clip)
    stereo = torch.stack([wave, 0.3 * wave.flip(0)])
    write_audio(tmp_path / "stereo.wav", stereo, rate)
    with pytest.raises(UserError, match="has 2 channels; say --channels mix or --channels each"):
        call("encode", tmp_path / "stereo.wav", tmp_path / "x.sgc", "--kbps", 0.6, "--model", codec)
    assert not (tmp_path / "x.sgc").exists()
    for channels, said in (("mix", "2 channels mixed down"), ("each", "2 channels")):
        words = ("encode", tmp_path / "stereo.wav", tmp_path / "s.sgc", "--kbps", 0.6, "--model", codec)
        assert said in call(*words, "--channels", channels)
        call("decode", tmp_path / "s.sgc", tmp_path / "back.wav", "--model", codec)
        back = torch.from_numpy(soundfile.read(tmp_path / "back.wav", dtype="float32", always_2d=True)[0]).T
        original = torch.from_numpy(soundfile.read(tmp_path / "stereo.wav", dtype="float32")[0]).T
        sources = original.mean(0, keepdim=True) if channels == "mix" else original
        assert back.shape == sources.shape
        assert ("2 channels" in call("info", tmp_path / "s.sgc")) == (channels == "each")
        for heard, source in zip(back, sources, strict=True):
            soundfile.write(tmp_path / "one.wav", source.numpy(), rate, subtype="FLOAT")
            call("encode", tmp_path / "one.wav", tmp_path / "one.sgc", "--kbps", 0.6, "--model", codec)
            call("decode", tmp_path / "one.sgc", tmp_path / "one.wav", "--model", codec)
            torch.testing.assert_close(heard, read_audio(tmp_path / "one.wav")[0], atol=1e-3, rtol=0)


def test_through_pipes(tmp_path, clip, codec):
    call("encode", clip, tmp_path / "clip.sgc", "--kbps", 0.6, "--model", codec)
    call("decode", tmp_path / "clip.sgc", tmp_path / "back.wav", "--model", codec)
    coded = piped(["encode", "-", "-", "--kbps", 0.6, "--model", codec], clip.read_bytes())
    assert coded == (tmp_path / "clip.sgc").read_bytes()
    heard = piped(["decode", "-", "-", "--model", codec], coded)
    back, rate = soundfile.read(io.BytesIO(heard), dtype="float32")
    torch.testing.assert_close(torch.from_numpy(back), read_audio(tmp_path / "back.wav")[0], atol=1e-4, rtol=0)
    assert b"damage: none" in piped(["info", "-"], coded)


def piped(words, content):
    command = [sys.executable, "-c", "from speechgen.cli import main; main()", "codec", *map(str, words)]
    done = subprocess.run(command, input=content, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_entropy_coding_makes_a_file_smaller_and_changes_nothing_else(tmp_path, codec, prompt_file):
    folder = tmp_path / "codec"
    shutil.copytree(codec, folder)
    assert "entropy coding: none" in call("info", folder)
    said = call("fit-entropy", folder, prompt_file, "--steps", 60)
    assert "saves" in said and "entropy coding: model" in call("info", folder)
    for switch in ("--entropy", "--no-entropy"):
        call("encode", prompt_file, tmp_path / f"{switch}.sgc", "--kbps", 0.6, "--model", folder, switch)
        call("decode", tmp_path / f"{switch}.sgc", tmp_path / f"{switch}.wav", "--model", folder)
    coded, packed = ((tmp_path / f"{switch}.sgc").stat().st_size for switch in ("--entropy", "--no-entropy"))
    assert coded < 0.9 * packed
    assert (tmp_path / "--entropy.wav").read_bytes() == (tmp_path / "--no-entropy.wav").read_bytes()
    assert "entropy coding: model" in call("info", tmp_path / "--entropy.sgc")
    (folder / "entropy.safetensors").unlink()
    with pytest.raises(UserError, match="entropy-coded with model"):
        call("decode", tmp_path / "--entropy.sgc", tmp_path / "x.wav", "--model", folder)


def test_a_codec_without_codes_has_nothing_to_entropy_code(tmp_path, clip):
    config = make_config(CodecConfig, {"bottleneck": {"kind": "vae"}})
    save_model(tmp_path / "vae", config, build_codec(config), "# vae\n")
    with pytest.raises(UserError, match="continuous"):
        call("fit-entropy", tmp_path / "vae", clip)


def test_info_on_a_codec_states_bitrates_and_delay(codec):
    said = call("info", codec)
    assert "bitrates: 0.2 to 0.6 kbit/s in steps of 0.2" in said and "algorithmic delay: 60 ms" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["encode", "CLIP", "out.sgc", "--kbps", "9", "--model", "CODEC"], "9 kbit/s: this codec has 0.2 to 0.6"),
        (["encode", "CLIP", "out.sgc", "--kbps", "-1", "--model", "CODEC"], "-1 kbit/s: this codec has"),
        (["encode", "nowhere.wav", "out.sgc", "--kbps", "0.4", "--model", "CODEC"], "nowhere.wav: no such file"),
        (["encode", "CLIP", "out.sgc", "--model", "LISTENER"], "is no codec"),
        (["encode", "CLIP", "out.sgc", "--model", "nothing"], "nothing: no model of that name"),
        (["decode", "CLIP", "out.wav"], "is no .sgc file"),
        (["info", "nowhere.sgc"], "nowhere.sgc: cannot be read"),
        (["eval", "nowhere", "--out", "x", "--model", "CODEC"], "nowhere: no such file or folder"),
        (["eval", "CLIP", "--out", "x", "--metrics", "pesq"], "'pesq'; did you mean 'pesq_wb'"),
        (["eval", "CLIP", "--out", "x", "--kbps", "fast", "--model", "CODEC"], "--kbps fast: expected numbers"),
        (["eval", "CLIP", "--out", "x", "--baselines", "mp3", "--model", "CODEC"], "no baseline 'mp3'"),
        (["score", "nowhere"], "run the generate stage first"),
    ],
)
def test_wrong_uses_are_one_sentence(tmp_path, clip, codec, words, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"CLIP": clip, "CODEC": codec, "LISTENER": codec.parent / "listener"}
    with pytest.raises(UserError, match=message):
        call(*(names.get(word, word) for word in words))
    assert not (tmp_path / "out.sgc").exists()


def test_codes_of_other_weights_are_refused(tmp_path, clip, codec):
    call("encode", clip, tmp_path / "clip.sgc", "--kbps", 0.4, "--model", codec)
    content = (tmp_path / "clip.sgc").read_bytes()
    from speechgen.tokenizers.sgc import unpack_sgc, write_sgc

    file = unpack_sgc(content)
    write_sgc(tmp_path / "other.sgc", file.codes, file.header.model_copy(update={"weights": "0" * 12}))
    with pytest.raises(UserError, match="coded by 'codec' with weights 000000000000"):
        call("decode", tmp_path / "other.sgc", tmp_path / "x.wav", "--model", codec)


def test_eval_writes_reports_and_results(tmp_path, clip, codec):
    out = tmp_path / "report"
    words = ["eval", clip, "--model", codec, "--kbps", "0.2,0.6", "--baselines", "opus:8", "--out", out]
    said = call(*words, "--metrics", "stoi,si_sdr,mel", "--results", tmp_path / "RESULTS.md")
    report = json.loads((out / "report.json").read_text())
    names = ["recording", "codec-0.2k", "codec-0.6k", "opus-8k"]
    assert [system["name"] for system in report["systems"]] == names
    for system in report["systems"]:
        assert {"name", "kbps", "n", "failed", "stoi", "si_sdr", "mel"} <= set(system)
        assert (system["n"], system["failed"]) == (1, 0)
    coded = (out / "codec-0.6k" / "bytes.json").read_text()
    assert report["systems"][2]["kbps"] == pytest.approx(json.loads(coded)["utterances"]["clip"]["bytes"] * 8e-3 / 1.23)
    assert (out / "report.html").exists() and "report.html" in said
    assert "| opus-8k |" in (tmp_path / "RESULTS.md").read_text()
    again = call(*words, "--metrics", "stoi,si_sdr,mel")
    assert "3 systems" in again
