"""How the codec is trained: surface losses from the start, perceptual ones with them, adversarial ones later.

The generator is the codec, the discriminators are its opponent; each is a player with an optimiser of its own.
"""

from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from speechgen.audio.pictures import spectrogram_pair
from speechgen.config import Config
from speechgen.data.batches import Crops, share
from speechgen.data.shards import Example
from speechgen.losses.adversarial import discriminator_losses, generator_losses
from speechgen.losses.balancer import Balancer
from speechgen.losses.discriminators import DiscriminatorConfig, Discriminators
from speechgen.losses.perceptual import PerceptualConfig, PerceptualLoss
from speechgen.losses.surface import SurfaceConfig, SurfaceLoss
from speechgen.tokenizers.codec import Codec
from speechgen.training.loop import Shown

SHOWN_SECONDS = 4.0
DEV_UTTERANCES = 24
# EnCodec's 0.999 suits hundreds of thousands of steps. Norms of adversarial losses grow while discriminators learn; a
# mean over the last hundred steps follows them in runs of hundreds.
BALANCER_DECAY = 0.99


class AdversarialConfig(Config):
    """``start_step``: the first step with discriminators. ``discriminator_warmup``: for so many steps from there on
    they learn alone while the codec waits, since before they know anything their gradients are noise.
    ``discriminator_rate``: their learning rate as a multiple of the codec's; at the rate of a codec that is nearly
    done they learn nothing in hundreds of steps. ``discriminator_every``: afterwards they learn at one step in so
    many (EnCodec: at two of three), which keeps them from winning and saves their time.
    ``freeze_encoder``: from ``start_step`` on train the decoder only, which is cheap and stable (AudioDec, Wu et al.
    2023). ``from_initial``: go on with the discriminators of the experiment's ``initial``, where it has some.
    Weights of 0 switch a loss off."""

    adversarial: float = 0.0
    feature_matching: float = 0.0
    kind: Literal["least_squares", "hinge"] = "least_squares"
    start_step: int = Field(0, ge=0)
    discriminator_warmup: int = Field(0, ge=0)
    discriminator_rate: float = Field(1.0, gt=0)
    discriminator_every: int = Field(1, ge=1)
    freeze_encoder: bool = True
    from_initial: bool = True
    discriminators: DiscriminatorConfig = DiscriminatorConfig()


class CodecTask(Config):
    """What "similar" means for this codec. ``balance``: weights are shares of the gradient instead of factors of the
    losses, measured where ``balance_at`` says: at the weights of the decoder's last layer, or at the waveform as
    EnCodec does, which for spectral decoders is another thing (see ``losses/balancer.py``); at one step in
    ``balance_every``, since it takes a way back through each loss alone. ``freeze_encoder``: train the decoder only,
    from the first step on; units and all that was trained on them stay valid."""

    batch: int = 24
    seconds: float = 1.0
    surface: SurfaceConfig = SurfaceConfig()
    perceptual: PerceptualConfig = PerceptualConfig()
    adversarial: AdversarialConfig = AdversarialConfig()
    balance: bool = False
    balance_at: Literal["decoder", "waveform"] = "decoder"
    balance_every: PositiveInt = 4
    bottleneck_weight: float = 1.0
    freeze_encoder: bool = False


class CodecTraining:
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
        self.task, self.dev, self.sample_rate = task, dev[:DEV_UTTERANCES], codec.sample_rate
        self.players: dict[str, nn.Module] = {"codec": codec}
        if self._has_opponent:
            self.players["discriminators"] = Discriminators(task.adversarial.discriminators)
        self.rates = {"discriminators": task.adversarial.discriminator_rate}
        self.surface, self.perceptual = SurfaceLoss(codec.sample_rate, task.surface), perceptual
        self.judges = [self.surface, *([perceptual] if perceptual else [])]
        self.crops = Crops(train, int(task.seconds * codec.sample_rate) // codec.hop * codec.hop, task.batch, seed)
        self.weights = self.surface.weights()
        if perceptual is not None:
            self.weights["perceptual"] = task.perceptual.weight
        for name in ("adversarial", "feature_matching"):
            if getattr(task.adversarial, name):
                self.weights[name] = getattr(task.adversarial, name)
        self.balancer = Balancer(self.weights, BALANCER_DECAY**task.balance_every) if task.balance else None
        self._made: Tensor | None = None

    @property
    def _has_opponent(self) -> bool:
        return bool(self.task.adversarial.adversarial or self.task.adversarial.feature_matching)

    def turns(self, step: int) -> list[str]:
        """The codec first, then, once they are in the game, the discriminators on what it made."""
        if self._only_discriminators(step):
            return ["discriminators"]
        against = self.task.adversarial
        their_turn = self._adversarial(step) and (step - against.start_step) % against.discriminator_every == 0
        return ["codec", "discriminators"] if their_turn else ["codec"]

    def batch(self, step: int, rank: int, ranks: int) -> Tensor:
        waves = self.crops.waves(step)
        return waves[share(list(range(len(waves))), rank, ranks)]

    def losses(
        self, player: str, batch: Tensor, step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        if player == "discriminators":
            kind = self.task.adversarial.kind
            if self._only_discriminators(step):
                self._freeze(self.players["codec"], step)
                with torch.no_grad():
                    self._made = self.players["codec"](batch, generator)[0]
            with self._exact(batch):
                loss = discriminator_losses(self.players["discriminators"], batch, self._made, kind)["discriminator"]
            return loss, {"loss": loss.item()}
        codec = self.players["codec"]
        self._freeze(codec, step)
        made, quantized = codec(batch, generator)
        losses = self.surface(made, batch)
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(made, batch)
        if self._adversarial(step):
            kind, matching = self.task.adversarial.kind, "feature_matching" in self.weights
            with self._exact(batch):
                extra = generator_losses(self.players["discriminators"], batch, made, kind, matching)
            losses |= {name: loss for name, loss in extra.items() if name in self.weights}
            self._made = made.detach()
        if self.balancer:
            # The last weights that a decoder registers are those of the layer that it ends in.
            last = [weights for weights in codec.decoder.parameters() if weights.ndim > 1][-1]
            at = last if self.task.balance_at == "decoder" else None
            total = self.balancer(losses, made, at, measure=step % self.task.balance_every == 0)
        else:
            total = sum(self.weights[name] * loss for name, loss in losses.items())
        total = total + self.task.bottleneck_weight * sum(quantized.losses.values())
        logged = {name: loss.item() for name, loss in {**losses, **quantized.losses}.items()}
        norms = self.balancer.norms if self.balancer else {}
        return total, logged | quantized.facts | {f"norm/{name}": norm for name, norm in norms.items()}

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
                losses = self.surface(made, wave)
                if self.perceptual is not None:
                    losses["perceptual"] = self.perceptual(made, wave)
                for name, loss in losses.items():
                    sums[f"{version}/{name}"] = sums.get(f"{version}/{name}", 0.0) + loss.item() / len(self.dev)
                if not shown.pictures.get(version) and example is self.dev[-1]:
                    shown.audio[version] = (made[0, 0], self.sample_rate)
                    shown.pictures[version] = spectrogram_pair(wave[0, 0].cpu(), made[0, 0].cpu(), self.sample_rate)
        shown.scalars = sums
        return shown

    @staticmethod
    def _exact(batch: Tensor) -> torch.autocast:
        # float32 against discriminators: of their narrow convolutions oneDNN makes bf16 weight gradients that are now
        # and then garbage (norms of 1e9 to infinity, other ones at each run).
        return torch.autocast(batch.device.type, enabled=False)

    def state(self) -> dict:
        return {"balancer": self.balancer.state_dict() if self.balancer else {}}

    def load_state(self, state: dict) -> None:
        if self.balancer:
            self.balancer.load_state_dict(state["balancer"])

    def _adversarial(self, step: int) -> bool:
        return self._has_opponent and step >= self.task.adversarial.start_step

    def _only_discriminators(self, step: int) -> bool:
        against = self.task.adversarial
        return self._has_opponent and 0 <= step - against.start_step < against.discriminator_warmup

    def _freeze(self, codec: Codec, step: int) -> None:
        if self.task.freeze_encoder or (self._adversarial(step) and self.task.adversarial.freeze_encoder):
            for part in (codec.encoder, codec.bottleneck):
                part.requires_grad_(False)
