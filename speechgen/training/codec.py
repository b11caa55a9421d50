"""How the codec of waveforms is trained: a ``CodecGame`` on crops of recordings."""

import torch
from torch import Tensor, nn

from speechgen.audio.pictures import spectrogram_pair
from speechgen.data.batches import Crops, share
from speechgen.data.shards import Example
from speechgen.losses.discriminators import Discriminators
from speechgen.losses.perceptual import PerceptualLoss
from speechgen.losses.surface import SurfaceConfig, SurfaceLoss
from speechgen.tokenizers.codec import Codec
from speechgen.training.game import CodecGame, GameTask
from speechgen.training.loop import Shown

SHOWN_SECONDS = 4.0
DEV_UTTERANCES = 24


class CodecTask(GameTask):
    """Crops of so many ``seconds``, ``batch`` of them a step, each made louder or softer by as many dB as lie in the
    range ``gain``, but not clipped."""

    batch: int = 24
    seconds: float = 1.0
    gain: tuple[float, float] = (0.0, 0.0)
    surface: SurfaceConfig = SurfaceConfig()


class CodecTraining(CodecGame):
    """The codec as the loop sees it."""

    def __init__(
        self,
        codec: Codec,
        task: CodecTask,
        train: list[Example],
        dev: list[Example],
        perceptual: PerceptualLoss | None = None,
        seed: int = 0,
    ):
        surface = SurfaceLoss(codec.sample_rate, task.surface)
        super().__init__(codec, task, surface, perceptual, lambda: Discriminators(task.adversarial.discriminators))
        self.task, self.dev, self.sample_rate = task, dev[:DEV_UTTERANCES], codec.sample_rate
        self.crops = Crops(train, int(task.seconds * codec.sample_rate) // codec.hop * codec.hop, task.batch, seed)
        self._seed = seed

    def batch(self, step: int, rank: int, ranks: int) -> Tensor:
        waves = self.crops.waves(step)
        if any(self.task.gain):
            waves = self._louder_or_softer(waves, torch.Generator().manual_seed((self._seed << 32) + step))
        return waves[share(list(range(len(waves))), rank, ranks)]

    def _louder_or_softer(self, waves: Tensor, generator: torch.Generator) -> Tensor:
        low, high = self.task.gain
        decibel = low + (high - low) * torch.rand(len(waves), 1, 1, generator=generator)
        peaks = waves.abs().amax((1, 2), keepdim=True).clamp_min(1e-5)
        return waves * torch.minimum(10 ** (decibel / 20), 1 / peaks)

    @torch.no_grad()
    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """Surface and perceptual losses on dev at all codebooks and unquantised; one utterance to hear and see."""
        codec = models["codec"].eval()
        device = codec.latent_mean.device
        sums: dict[str, float] = {}
        shown = Shown()
        for example in self.dev:
            wave = torch.from_numpy(example.audio).float().to(device)[None, None] / 32768
            wave = wave[..., : int(SHOWN_SECONDS * self.sample_rate)]
            versions = {"continuous": codec.decode_latents(codec.latents(wave))}
            if codec.codebooks:
                versions["codes"] = codec.decode(codec.encode(wave))
            for version, made in versions.items():
                made = made[..., : wave.shape[-1]]
                for name, loss in self.similarity(made, wave).items():
                    sums[f"{version}/{name}"] = sums.get(f"{version}/{name}", 0.0) + loss / len(self.dev)
                if not shown.pictures.get(version) and example is self.dev[-1]:
                    shown.audio[version] = (made[0, 0], self.sample_rate)
                    shown.pictures[version] = spectrogram_pair(wave[0, 0].cpu(), made[0, 0].cpu(), self.sample_rate)
        shown.scalars = sums
        return shown
