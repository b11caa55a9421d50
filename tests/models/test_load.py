"""Models on disk: by name, by folder, by run; damaged and foreign ones are named."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models import load as module
from speechgen.models.load import fingerprint, load, save_model, shipped, unit_fingerprint
from speechgen.tokenizers.codec import Codec, CodecConfig, build_codec
from speechgen.training.checkpoint import save_checkpoint

STACK = {"width": 16, "blocks": 1, "window": 80}
CONFIG = make_config(
    CodecConfig, {"hop": 40, "width": 6, "encoder": STACK, "decoder": STACK, "bottleneck": {"codebooks": 2}}
)


@pytest.fixture
def codec() -> Codec:
    torch.manual_seed(0)
    return build_codec(CONFIG).eval()


@pytest.fixture
def folder(codec, tmp_path):
    save_model(tmp_path / "codec", CONFIG, codec, "# A codec\n")
    return tmp_path / "codec"


def test_a_model_comes_back_ready_to_use(codec, folder):
    loaded = load(folder)
    assert loaded.config == CONFIG and not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert fingerprint(loaded) == fingerprint(codec)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.yaml", "model.safetensors"]


def test_half_precision_on_disk_is_single_in_memory(codec, folder, tmp_path):
    save_model(tmp_path / "half", CONFIG, codec, "# A codec\n", half=True)
    sizes = [(path / "model.safetensors").stat().st_size for path in (folder, tmp_path / "half")]
    assert sizes[1] < 0.6 * sizes[0]
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert stored["encoder.inlet.weight"].dtype == torch.float16
    assert stored["bottleneck.seen"].dtype == torch.int64
    loaded = load(tmp_path / "half")
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    wave = 0.1 * torch.randn(1, 1, 400, generator=torch.Generator().manual_seed(0))
    latents = codec.latents(wave)
    torch.testing.assert_close(loaded.latents(wave), latents, atol=0.02, rtol=0.02)
    torch.testing.assert_close(loaded.decode_latents(latents), codec.decode_latents(latents), atol=0.02, rtol=0.02)


def test_saving_again_replaces_the_model_and_leaves_the_rest(codec, folder):
    (folder / "ann.voice").write_bytes(b"a voice")
    codec.latent_mean += 1
    save_model(folder, CONFIG, codec, "# Another\n")
    assert fingerprint(load(folder)) == fingerprint(codec)
    assert (folder / "README.md").read_text() == "# Another\n" and (folder / "ann.voice").exists()


def test_a_larger_model_is_stored_in_parts(codec, folder, monkeypatch):
    monkeypatch.setattr(module, "PART_BYTES", 30_000)
    save_model(folder, CONFIG, codec, "# A codec\n")
    parts = sorted(folder.glob("*.safetensors"))
    assert [path.name for path in parts[:2]] == ["model-2.safetensors", "model-3.safetensors"]
    largest = max(tensor.nbytes for tensor in codec.state_dict().values())
    assert all(path.stat().st_size < max(30_000, largest) + 10_000 for path in parts)
    assert fingerprint(load(folder)) == fingerprint(codec)
    parts[0].write_bytes(parts[0].read_bytes()[:-1])
    with pytest.raises(UserError, match="model-2.safetensors: damaged"):
        load(folder)
    monkeypatch.undo()
    save_model(folder, CONFIG, codec, "# A codec\n")
    assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]


def test_a_run_gives_its_averaged_weights(codec, tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(codec)
    averaged.update_parameters(codec)
    with torch.no_grad():
        codec.encoder.inlet.bias += 1
    folder = tmp_path / "exp"
    folder.mkdir()
    values = CONFIG.model_dump_json()
    (folder / "config.yaml").write_text(f"kind: codec\nmodel: {values}\ntraining: {{steps: 3}}\n")
    with pytest.raises(UserError, match="the run has no checkpoint yet"):
        load(folder)
    save_checkpoint(folder, 3, {"codec": codec, "codec-ema": averaged}, {}, {})
    assert fingerprint(load(folder)) == fingerprint(averaged.module) != fingerprint(codec)


def test_names_of_shipped_models(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PRETRAINED", tmp_path)
    assert shipped() == ["codec"]
    assert isinstance(load("codec"), Codec)
    with pytest.raises(UserError, match="codek: no model of that name and no folder .*; did you mean 'codec'"):
        load("codek")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: {", "not plain YAML"),
        ("kind: !!python/object/apply:os.getcwd []", "not plain YAML"),
        ("- a list", "expected 'key: value' lines"),
        ("kind: codek", "kind: codek; did you mean 'codec'"),
        ("width: 3", "kind: None; known: codec, image, "),
        ("kind: codec\nwidht: 3", "unknown key 'widht'; did you mean 'width'"),
        ("kind: codec\n_target_: os.getcwd", "unknown key '_target_'"),
        ("kind: codec\nencoder: {window: 100}", "window = 100 is not a multiple"),
    ],
)
def test_configs_of_no_model(text, message, folder):
    (folder / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        load(folder)


def test_a_config_that_is_not_text(folder):
    (folder / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="config.yaml: not plain YAML"):
        load(folder)


def test_weights_that_do_not_fit(folder):
    weights = load_file(folder / "model.safetensors")
    name = "decoder.inlet.weight"
    for changed, message in (
        ({**weights, name: weights[name][:3]}, rf"tensor '{name}' is \(3, 6\), the config asks for \(16, 6\)"),
        ({k: v for k, v in weights.items() if k != name}, f"tensor '{name}' is missing"),
        ({**weights, "more": torch.zeros(1)}, "tensor 'more' has no place in this model"),
    ):
        save_file(changed, folder / "model.safetensors")
        with pytest.raises(UserError, match=f"model.safetensors: {message}"):
            load(folder)


def test_damaged_and_missing_weights(folder):
    content = (folder / "model.safetensors").read_bytes()
    for damaged in (b"", content[:100], content[:-1], b"PK" + content):
        (folder / "model.safetensors").write_bytes(damaged)
        with pytest.raises(UserError, match="model.safetensors: damaged or not safetensors"):
            load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="model.safetensors: no such weights"):
        load(folder)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="no model of that name"):
        load(folder)


def test_fingerprints_tell_models_and_units_apart(codec):
    whole, units = fingerprint(codec), unit_fingerprint(codec)
    with torch.no_grad():
        codec.decoder.inlet.bias += 1e-3
    assert fingerprint(codec) != whole and unit_fingerprint(codec) == units
    with torch.no_grad():
        codec.encoder.inlet.bias += 1e-3
    assert unit_fingerprint(codec) != units
    assert len(whole) == 12 and int(whole, 16) >= 0
