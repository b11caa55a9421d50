"""The named systems: which triple each is, the config that makes it, and the commands that train it and sample from it.

Configs lie in the repository's ``egs``; the package only tells where.
"""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class System:
    """``config``, and the folder in the commands, are seen from the repository's root."""

    name: str
    unit: str
    order: str
    head: str
    config: str
    train: str
    sample: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def _image(name: str, config: str, tokenizer: str, unit: str, order: str, head: str) -> System:
    recipe = "egs/mini/image"
    chosen = f"--config conf/{config}.yaml --tokenizer {tokenizer}"
    return System(
        name, unit, order, head, f"{recipe}/conf/{config}.yaml",
        f"{recipe}/run.sh {chosen} --stop_stage train",
        f"speechgen image generate {recipe}/exp/{config} --label 3 --count 8 -o {config}.png",
    )  # fmt: skip


SYSTEMS = (
    System(
        "WaveNet", "mu-law samples", "raster", "categorical", "egs/mini/wavenet/conf/wavenet.yaml",
        "egs/mini/wavenet/run.sh --stop_stage train",
        "speechgen wavenet generate egs/mini/wavenet/exp/wavenet --speaker mini01 --seconds 1 -o wavenet.wav",
    ),
    System(
        "CALM (our voice)", "continuous latents", "raster", "flow", "egs/mini/tts/conf/tts.yaml",
        "egs/mini/tts/run.sh --stop_stage train",
        'speechgen say "The lazy dog." --model egs/mini/tts/exp/tts -o voice.wav',
    ),
    _image("PixelCNN", "pixelcnn", "none", "pixel levels", "raster", "categorical"),
    _image("LlamaGen", "llamagen", "vq", "VQ codes", "raster", "categorical"),
    _image("MAGVIT-v2 (images)", "magvit", "lookup-free", "lookup-free codes", "raster", "categorical"),
    _image("MaskGIT", "maskgit", "vq", "VQ codes", "masked", "categorical"),
    _image("VAR", "var", "scales", "multi-scale codes", "next_scale", "categorical"),
    _image("MAR", "mar", "vae", "continuous latents", "masked", "diffusion"),
    _image("Fluid (raster)", "fluid", "vae", "continuous latents", "raster", "diffusion"),
    _image("NextStep-1", "nextstep", "vae", "continuous latents", "raster", "flow"),
    _image("FlowAR", "flowar", "vae", "continuous latents", "next_scale", "flow"),
    _image("energy head (SLED)", "sled", "vae", "continuous latents", "raster", "energy"),
    _image("MSE on latents (why it fails)", "mse", "vae", "continuous latents", "raster", "mse"),
    _image("DDPM", "ddpm", "none", "pixels", "joint", "diffusion"),
    _image("latent diffusion", "latent-diffusion", "vae", "continuous latents", "joint", "diffusion"),
    _image("latent flow matching", "image", "vae", "continuous latents", "joint", "flow"),
)  # fmt: skip
