"""A game between a codec and what judges its reconstructions, whatever it codes: surface losses from the start,
perceptual ones with them, adversarial ones later.

The codec is one player, the discriminators are its opponent; each has an optimiser of its own.
"""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.losses.adversarial import discriminator_losses, generator_losses
from speechgen.losses.balancer import Balancer
from speechgen.losses.discriminators import DiscriminatorConfig
from speechgen.losses.perceptual import PerceptualLoss
from speechgen.models.layers import PerceptualConfig

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


class GameTask(Config):
    """What "similar" means for a codec. ``balance``: weights are shares of the gradient instead of factors of the
    losses, measured where ``balance_at`` says: at the weights of the decoder's last layer, or at the waveform as
    EnCodec does, which for spectral decoders is another thing (see ``losses/balancer.py``); at one step in
    ``balance_every``, since it takes a way back through each loss alone. ``freeze_encoder``: train the decoder only,
    from the first step on; units and all that was trained on them stay valid."""

    perceptual: PerceptualConfig = PerceptualConfig()
    adversarial: AdversarialConfig = AdversarialConfig()
    balance: bool = False
    balance_at: Literal["decoder", "waveform"] = "decoder"
    balance_every: PositiveInt = 4
    bottleneck_weight: float = 1.0
    freeze_encoder: bool = False


class CodecGame:
    """The players, their turns and their losses. A codec has an ``encoder``, a ``bottleneck`` and a ``decoder``, and
    gives reconstructions and what its bottleneck did for signals (B, C, ...) and a generator."""

    name, opponent = "codec", "discriminators"

    def __init__(
        self,
        codec: nn.Module,
        task: GameTask,
        surface: nn.Module,
        perceptual: PerceptualLoss | None,
        discriminators: Callable[[], nn.Module],
    ):
        """``surface``: the losses of made against real by name, with their ``weights()``; ``discriminators`` makes some
        where the task asks for them."""
        self.game, self.surface, self.perceptual = task, surface, perceptual
        self.judges = [surface, *([perceptual] if perceptual else [])]
        self.players: dict[str, nn.Module] = {self.name: codec}
        if self._has_opponent:
            self.players[self.opponent] = discriminators()
        self.rates = {self.opponent: task.adversarial.discriminator_rate}
        self.weights = surface.weights()
        if perceptual is not None:
            self.weights["perceptual"] = task.perceptual.weight
        for name in ("adversarial", "feature_matching"):
            if getattr(task.adversarial, name):
                self.weights[name] = getattr(task.adversarial, name)
        self.balancer = Balancer(self.weights, BALANCER_DECAY**task.balance_every) if task.balance else None
        self._made: Tensor | None = None

    @property
    def _has_opponent(self) -> bool:
        return bool(self.game.adversarial.adversarial or self.game.adversarial.feature_matching)

    def turns(self, step: int) -> list[str]:
        """The codec first, then, once they are in the game, the discriminators on what it made."""
        if self._only_discriminators(step):
            return [self.opponent]
        against = self.game.adversarial
        their_turn = self._adversarial(step) and (step - against.start_step) % against.discriminator_every == 0
        return [self.name, self.opponent] if their_turn else [self.name]

    def losses(
        self, player: str, batch: Tensor, step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        if player == self.opponent:
            kind = self.game.adversarial.kind
            if self._only_discriminators(step):
                self._freeze(self.players[self.name], step)
                with torch.no_grad():
                    self._made = self.players[self.name](batch, generator)[0]
            with self._exact(batch):
                loss = discriminator_losses(self.players[self.opponent], batch, self._made, kind)["discriminator"]
            return loss, {"loss": loss.item()}
        codec = self.players[self.name]
        self._freeze(codec, step)
        made, quantized = codec(batch, generator)
        losses = self.surface(made, batch)
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(made, batch)
        if self._adversarial(step):
            kind, matching = self.game.adversarial.kind, "feature_matching" in self.weights
            with self._exact(batch):
                extra = generator_losses(self.players[self.opponent], batch, made, kind, matching)
            losses |= {name: loss for name, loss in extra.items() if name in self.weights}
            self._made = made.detach()
        if self.balancer:
            # The last weights that a decoder registers are those of the layer that it ends in.
            last = [weights for weights in codec.decoder.parameters() if weights.ndim > 1][-1]
            at = last if self.game.balance_at == "decoder" else None
            total = self.balancer(losses, made, at, measure=step % self.game.balance_every == 0)
        else:
            total = sum(self.weights[name] * loss for name, loss in losses.items())
        total = total + self.game.bottleneck_weight * sum(quantized.losses.values())
        logged = {name: loss.item() for name, loss in {**losses, **quantized.losses}.items()}
        norms = self.balancer.norms if self.balancer else {}
        return total, logged | quantized.facts | {f"norm/{name}": norm for name, norm in norms.items()}

    @torch.no_grad()
    def similarity(self, made: Tensor, real: Tensor) -> dict[str, float]:
        """Surface and perceptual losses, to be shown."""
        losses = self.surface(made, real)
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(made, real)
        return {name: loss.item() for name, loss in losses.items()}

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
        return self._has_opponent and step >= self.game.adversarial.start_step

    def _only_discriminators(self, step: int) -> bool:
        against = self.game.adversarial
        return self._has_opponent and 0 <= step - against.start_step < against.discriminator_warmup

    def _freeze(self, codec: nn.Module, step: int) -> None:
        if self.game.freeze_encoder or (self._adversarial(step) and self.game.adversarial.freeze_encoder):
            for part in (codec.encoder, codec.bottleneck):
                part.requires_grad_(False)
