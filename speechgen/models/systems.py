"""The named systems: which triple each is, the config that makes it, and the commands that train it and sample from it.

Configs lie in the repository's ``egs``; the package only tells where.
"""

from dataclasses import asdict, dataclass
from pathlib import PurePosixPath


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

    @property
    def recipe(self) -> str:
        """The folder of its recipe."""
        return str(PurePosixPath(self.config).parents[1])

    @property
    def experiment(self) -> str:
        """The folder that its recipe trains it in."""
        return f"{self.recipe}/exp/{PurePosixPath(self.config).stem}"

    @property
    def whole(self) -> str:
        """The command that trains it, samples from it, scores it and packs it."""
        return self.train.removesuffix(" --stop_stage train")

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def _image(name: str, config: str, tokenizer: str, unit: str, order: str, head: str, small: bool = False) -> System:
    """A system of the smallest recipe; ``small``: another model makes the pictures that it enlarges."""
    recipe = "egs/mini/image"
    chosen = f"--config conf/{config}.yaml --tokenizer {tokenizer}" + f" --small conf/small/{config}.yaml" * small
    chosen += " --guidance 1" * (order == "one shot")  # which takes no other
    drawn = f"--small {recipe}/exp/small/{config} " * small
    return System(
        name, unit, order, head, f"{recipe}/conf/{config}.yaml",
        f"{recipe}/run.sh {chosen} --stop_stage train",
        f"speechgen image generate {recipe}/exp/{config} {drawn}--label 3 --count 8 -o {config}.png",
    )  # fmt: skip


def _captioned(name: str, config: str, tokenizer: str, unit: str, order: str, head: str) -> System:
    """A system that is told captions."""
    recipe = "egs/fxemoji/image"
    return System(
        name, unit, order, head, f"{recipe}/conf/{config}.yaml",
        f"{recipe}/run.sh --corpus FXEMOJI --config conf/{config}.yaml --tokenizer {tokenizer} --stop_stage train",
        f'speechgen image generate {recipe}/exp/{config} --caption "cat face" --count 8 --guidance 2 -o {config}.png',
    )  # fmt: skip


def _sound(name: str, config: str, unit: str, order: str, head: str) -> System:
    recipe = "egs/fsdd/sound"
    return System(
        name, unit, order, head, f"{recipe}/conf/{config}.yaml",
        f"{recipe}/run.sh --corpus FSDD --config conf/{config}.yaml --stop_stage train",
        f"speechgen sound generate {recipe}/exp/{config} --label seven --count 3 -o {config}.wav",
    )  # fmt: skip


def _video(name: str, config: str, tokenizer: str, unit: str, order: str, head: str) -> System:
    recipe = "egs/moving_mnist/video"
    chosen = f"--config conf/{config}.yaml --tokenizer {tokenizer}" + (" --side 16" if tokenizer == "none" else "")
    return System(
        name, unit, order, head, f"{recipe}/conf/{config}.yaml",
        f"{recipe}/run.sh --corpus MNIST {chosen} --stop_stage train",
        f"speechgen video generate {recipe}/exp/{config} --label 3 --count 4 -o {config}.gif",
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
    System(
        "RVQ codec", "residual codes", "one shot", "none", "egs/mini/codec/conf/codec.yaml",
        "egs/mini/codec/run.sh --stop_stage train",
        "speechgen codec encode prompt.wav prompt.sgc --model egs/mini/codec/exp/codec",
    ),
    _image("PixelRNN", "pixelrnn", "none", "pixel levels", "raster", "categorical"),
    _image("PixelCNN", "pixelcnn", "none", "pixel levels", "raster", "categorical"),
    _image("VQ-VAE", "vqvae", "vq", "VQ codes", "raster", "categorical"),
    _image("RQ-Transformer", "rq-transformer", "rvq", "residual codes", "raster", "depth"),
    _captioned("DALL-E", "dalle", "patches", "codes of 8 x 8 patches", "raster", "categorical"),
    _image("LlamaGen", "llamagen", "vq", "VQ codes", "raster", "categorical"),
    _image("MAGVIT-v2 (images)", "magvit", "lookup-free", "lookup-free codes", "raster", "categorical"),
    _image("MaskGIT", "maskgit", "vq", "VQ codes", "masked", "categorical"),
    _image("Muse", "muse", "vq", "VQ codes, small to large", "masked", "categorical", small=True),
    _image("TiTok", "titok", "titok", "1-D latent tokens", "masked", "categorical"),
    _image("VAR", "var", "scales", "multi-scale codes", "next_scale", "categorical"),
    _image("MAR", "mar", "vae", "continuous latents", "masked", "diffusion"),
    _image("Fluid (raster)", "fluid", "vae", "continuous latents", "raster", "diffusion"),
    _image("NextStep-1", "nextstep", "vae", "continuous latents", "raster", "flow"),
    _image("FlowAR", "flowar", "vae", "continuous latents", "next_scale", "flow"),
    _image("energy head (SLED)", "sled", "vae", "continuous latents", "raster", "energy"),
    _image("MSE on latents (why it fails)", "mse", "vae", "continuous latents", "raster", "mse"),
    _image("DDPM", "ddpm", "none", "pixels", "joint", "diffusion"),
    _captioned("text-conditioned DDPM", "image", "none", "pixels", "joint", "diffusion"),
    _image("Imagen (cascade)", "imagen", "none", "pixels, small to large", "joint", "diffusion", small=True),
    _image("latent diffusion", "latent-diffusion", "vae", "continuous latents", "joint", "diffusion"),
    _image("latent flow matching", "image", "vae", "continuous latents", "joint", "flow"),
    _sound("text-to-audio by latent flow", "sound", "continuous latents", "joint", "flow"),
    _sound("latent language model", "lm", "continuous latents", "raster", "flow"),
    _sound("SLED (speech)", "sled", "continuous latents", "raster", "energy"),
    _sound("MAR on sound", "mar", "continuous latents", "masked", "diffusion"),
    _sound("NAR with predicted length", "nar", "continuous latents", "masked", "flow"),
    _sound("VALL-E", "valle", "RVQ codes", "levels", "categorical"),
    _sound("MAGNeT", "magnet", "RVQ codes", "levels", "categorical"),
    _sound("MusicGen", "musicgen", "RVQ codes", "delay", "categorical"),
    _sound("MaskGIT on sound", "maskgit", "RVQ codes", "masked", "categorical"),
    System(
        "speech-to-speech language model", "continuous latents", "raster", "flow", "egs/mini/sound/conf/sound.yaml",
        "egs/mini/sound/run.sh --stop_stage train",
        "speechgen sound generate egs/mini/sound/exp/sound --prompt prompt.wav --prompt_seconds 1 -o continued.wav",
    ),
    _video("Video Pixel Network", "vpn", "none", "pixel levels", "raster", "categorical"),
    _video("VideoGPT", "videogpt", "vq", "VQ codes", "raster", "categorical"),
    _video("MAGVIT-v2", "magvit", "lookup-free", "lookup-free codes", "masked", "categorical"),
    _video("NOVA", "nova", "vae", "continuous latents", "frames", "diffusion"),
    _video("latent flow matching of clips", "video", "vae", "continuous latents", "joint", "flow"),
    _image("VAE", "vae", "none", "the whole image", "one shot", "none"),
    _image("GAN", "gan", "none", "the whole image", "one shot", "none"),
    _image("normalizing flow", "flow", "none", "the whole image", "one shot", "none"),
)  # fmt: skip
