"""What was said: the takes of a text, and what is known of them."""

from dataclasses import dataclass, field

from torch import Tensor

from speechgen.orders.speculative import Tally
from speechgen.serving.guard import Checked
from speechgen.serving.session import Span


@dataclass(frozen=True)
class Take:
    """One rendering: ``wave`` (T,), the seed that gives it again, where each chunk of the text lies, and with a guard
    what it made of each."""

    wave: Tensor
    seed: int
    spans: list[Span]
    checks: list[Checked] = field(default_factory=list)


@dataclass(frozen=True)
class Spoken:
    """What ``say`` made. ``first_audio``: seconds until the first samples were ready; ``x_real_time``: seconds of
    audio per second of compute, over all takes. ``tallies``: of each take, what a draft model proposed."""

    takes: list[Take]
    sample_rate: int
    first_audio: float
    x_real_time: float
    warnings: list[str]
    tallies: list[Tally] = field(default_factory=list)

    @property
    def wave(self) -> Tensor:
        """The first take's (T,)."""
        return self.takes[0].wave

    @property
    def seconds(self) -> float:
        """Length of the first take."""
        return len(self.wave) / self.sample_rate
