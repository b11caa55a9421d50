"""How fast a run learns and how far it is: by its steps, or by the clock where ``hours`` says how long it lasts."""

import math
import time
from typing import Literal

from accelerate.utils import broadcast_object_list
from pydantic import Field, PositiveInt

from speechgen.config import Config


class TrainConfig(Config):
    """How weights change: the same keys for every model. ``hours``: how long training lasts, instead of ``steps``; the
    rate then falls with the clock, and evaluations and checkpoints come by the minute. ``patience``: evaluations in a
    row without a lower held-out loss after which training ends, and the weights of the lowest are kept in ``best``; 0:
    it goes to the last step. ``optimiser``: what ``training/optimisers.py`` has."""

    steps: PositiveInt
    optimiser: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = 5e-4
    final_learning_rate: float = 1e-5
    warmup: int = 200
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.998
    bf16: bool = True
    seed: int = 0
    log_every: PositiveInt = 20
    evaluate_every: PositiveInt = 500
    checkpoint_every: PositiveInt = 250
    hours: float | None = Field(None, gt=0)
    evaluate_minutes: float = Field(60, gt=0)
    checkpoint_minutes: float = Field(5, gt=0)
    patience: int = Field(0, ge=0)


class Pace:
    """Seconds of training over all calls of a run, and what they mean for its end, its milestones and its rate.

    By the clock, ranks decide by the first one's. Time between calls does not count, so that a run which was killed
    has what it was given.
    """

    def __init__(self, config: TrainConfig, seconds: float = 0.0, ranks: int = 1):
        """``seconds``: of training before this call."""
        self.config, self.seconds, self._ranks = config, seconds, ranks
        self._before = seconds
        self._began = time.monotonic() - seconds

    def now(self) -> float:
        """Seconds of training until now, as this process sees it."""
        return time.monotonic() - self._began

    def tick(self) -> None:
        """Look at the clock; called after each step and evaluation, so that what follows agrees on the time."""
        self._before, self.seconds = self.seconds, self.now()
        if self.config.hours is not None and self._ranks > 1:
            (self.seconds,) = broadcast_object_list([self.seconds])

    def share(self, step: int, warmup: int = 0) -> float:
        """How much of the run is done, from 0 to 1; of its steps, those of the ``warmup`` left aside."""
        if self.config.hours is not None:
            return min(1.0, self.seconds / (3600 * self.config.hours))
        return min(1.0, max(0, step - warmup) / max(1, self.config.steps - warmup))

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to the final rate."""
        config = self.config
        if step < config.warmup:
            return config.learning_rate * (step + 1) / config.warmup
        cosine = 0.5 * (1 + math.cos(math.pi * self.share(step, config.warmup)))
        return config.final_learning_rate + (config.learning_rate - config.final_learning_rate) * cosine

    def is_over(self, step: int) -> bool:
        """Whether the run has come to its end."""
        if self.config.hours is not None:
            return self.seconds >= 3600 * self.config.hours
        return step >= self.config.steps

    def is_due(self, step: int, every: int, minutes: float) -> bool:
        """Whether something is due that comes ``every`` so many steps, or by the clock every so many ``minutes``."""
        if self.config.hours is None:
            return step % every == 0
        return self.seconds // (60 * minutes) > self._before // (60 * minutes)
