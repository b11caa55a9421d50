"""A model on disk: a folder with config.yaml, model.safetensors and README.md, and how it comes back to life."""

import hashlib
import os
from pathlib import Path

import safetensors.torch
import torch
import yaml
from torch import nn

from speechgen.config import Config, make_config, save_config
from speechgen.errors import UserError, nearest
from speechgen.models.classifier import (
    ImageClassifier,
    ImageClassifierConfig,
    SoundClassifier,
    SoundClassifierConfig,
    VideoClassifier,
    VideoClassifierConfig,
)
from speechgen.models.clip import Clip, ClipConfig
from speechgen.models.gan import ImageGAN, ImageGANConfig
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.listener import Listener, ListenerConfig
from speechgen.models.lora import LoRAConfig, add_lora, merge_lora
from speechgen.models.normalizing_flow import ImageFlow, ImageFlowConfig
from speechgen.models.tts import TokenTTS
from speechgen.models.tts_config import TTSConfig
from speechgen.models.vae import ImageVAE, ImageVAEConfig
from speechgen.models.wavenet import WaveNetConfig, build_wavenet
from speechgen.models.weights import load_weights, weights_of_run
from speechgen.tokenizers.codec import CodecConfig, build_codec
from speechgen.tokenizers.entropy import FILE, EntropyModel, aside
from speechgen.tokenizers.foreign import load_foreign
from speechgen.tokenizers.images import ImageCodec, ImageCodecConfig
from speechgen.tokenizers.videos import VideoCodec, VideoCodecConfig

WEIGHTS = "model.safetensors"  # of a larger model the first part; model-2.safetensors and so on hold the rest
PART_BYTES = 20_000_000
GRIDS = {
    **dict.fromkeys(("image", "sound", "video"), (GeneratorConfig, Generator)),
    "image-codec": (ImageCodecConfig, ImageCodec),
    "image-classifier": (ImageClassifierConfig, ImageClassifier),
    "image-clip": (ClipConfig, Clip),
    "image-vae": (ImageVAEConfig, ImageVAE),
    "image-gan": (ImageGANConfig, ImageGAN),
    "image-flow": (ImageFlowConfig, ImageFlow),
    "video-codec": (VideoCodecConfig, VideoCodec),
    "video-classifier": (VideoClassifierConfig, VideoClassifier),
    "sound-classifier": (SoundClassifierConfig, SoundClassifier),
}
KINDS = ("codec", "listener", "tts", "wavenet", *GRIDS)
PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"


def shipped() -> list[str]:
    """Names of the models that came with the package."""
    return sorted(path.parent.name for path in PRETRAINED.glob("*/config.yaml"))


def load(model: str | Path) -> nn.Module:
    """A model by the name it is shipped under, or by its folder, or by the folder of its training run, or a codec
    by the folder that transformers saved it in.

    Returned ready to use (averaged weights, evaluation mode). Raises UserError for an unknown name or damaged files.
    """
    folder = folder_of(model)
    if (folder / "config.json").exists() and not (folder / "config.yaml").exists():
        return load_foreign(folder).eval().requires_grad_(False)
    if not (folder / "config.yaml").exists():
        raise UserError(
            f"{model}: no model of that name and no folder with a config.yaml{nearest(str(model), shipped())}"
        )
    try:
        values = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError):
        raise UserError(f"{folder / 'config.yaml'}: not plain YAML") from None
    if not isinstance(values, dict):
        raise UserError(f"{folder / 'config.yaml'}: expected 'key: value' lines")
    if "training" in values:  # a run: its config holds the model's
        weights = weights_of_run(folder)
        if weights is None:
            raise UserError(f"{folder}: the run has no checkpoint yet")
        module = build(values.get("model", {}), str(folder / "config.yaml"))
        if values.get("lora"):
            add_lora(module, make_config(LoRAConfig, values["lora"], str(folder / "config.yaml")))
        load_weights(_Averaged(module), weights / f"{values.get('kind')}-ema.safetensors")
        if values.get("lora"):
            merge_lora(module)
    else:
        module = build(values, str(folder / "config.yaml"))
        load_weights(module, folder / WEIGHTS, *sorted(folder.glob("model-*.safetensors")))
    return module.eval().requires_grad_(False)


def folder_of(model: str | Path) -> Path:
    """Where a model lies: the shipped one of that name, else the folder itself, whether it exists or not."""
    return PRETRAINED / str(model) if (PRETRAINED / str(model) / "config.yaml").exists() else Path(model)


def load_entropy(model: str | Path, fingerprint: str = "") -> EntropyModel | None:
    """The entropy model beside a codec's weights, if there is one, or the one of this fingerprint that a later fit put
    aside; raises UserError for a damaged one."""
    folder = folder_of(model)
    path = folder / aside(fingerprint) if (folder / aside(fingerprint)).exists() else folder / FILE
    return EntropyModel.load(path) if path.exists() else None


def build(values: dict, name: str) -> nn.Module:
    """A module from the plain values of its config, with fresh weights."""
    kind = values.get("kind")
    match kind:
        case "codec":
            return build_codec(make_config(CodecConfig, values, name))
        case "listener":
            return Listener(make_config(ListenerConfig, values, name))
        case "tts":
            return TokenTTS(make_config(TTSConfig, values, name))
        case "wavenet":
            return build_wavenet(make_config(WaveNetConfig, values, name))
        case kind if kind in GRIDS:
            config, module = GRIDS[kind]
            return module(make_config(config, values, name))
        case _:
            raise UserError(f"{name}: kind: {kind}{nearest(str(kind), KINDS)}")


def save_model(folder: Path, config: Config, module: nn.Module, card: str, half: bool = False) -> None:
    """Write a model folder; the card comes last, so that a folder with a card is whole.

    ``half`` stores weights in 16 bits; ``load`` turns them into 32 again. Other files of the folder are left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").unlink(missing_ok=True)
    partial = folder / f".{os.getpid()}.part"
    weights = {name: tensor.detach().clone().contiguous() for name, tensor in module.state_dict().items()}
    if half:
        weights = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    for old in folder.glob("model-*.safetensors"):
        old.unlink()
    for number, part in enumerate(_parts(weights), start=1):
        safetensors.torch.save_file(part, partial)
        os.replace(partial, folder / (WEIGHTS if number == 1 else f"model-{number}.safetensors"))
    save_config(config, partial)
    os.replace(partial, folder / "config.yaml")
    partial.write_text(card, encoding="utf-8")
    os.replace(partial, folder / "README.md")


def _parts(weights: dict[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """The weights in parts of at most PART_BYTES, so that no file is a burden to a repository."""
    parts, size = [{}], 0
    for name, tensor in weights.items():
        if parts[-1] and size + tensor.nbytes > PART_BYTES:
            parts.append({})
            size = 0
        parts[-1][name] = tensor
        size += tensor.nbytes
    return parts


def fingerprint(module: nn.Module, leave_out: tuple[str, ...] = ()) -> str:
    """Twelve hex digits that change with any weight, those whose names begin with ``leave_out`` excepted."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if not name.startswith(leave_out):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def unit_fingerprint(codec: nn.Module) -> str:
    """A fingerprint for what a codec's units mean: a decoder trained further still reads what was made before."""
    # How often codes were used is counted on while a frozen encoder's decoder is trained, and means nothing to them.
    return fingerprint(codec, leave_out=("decoder.", "bottleneck.usage", "bottleneck.seen"))


class _Averaged(nn.Module):
    """Gives a module the names that torch's AveragedModel stores it under."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module
        self.register_buffer("n_averaged", torch.zeros((), dtype=torch.long))
