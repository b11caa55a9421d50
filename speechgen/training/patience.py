"""When to stop: a training that has seen no lower held-out loss for a while only learns its recordings by heart."""

import math
from dataclasses import asdict, dataclass


@dataclass
class Patience:
    """``most``: evaluations in a row without a lowest loss that end a training; 0: however many."""

    most: int
    lowest: float = math.inf
    step: int = 0
    worse: int = 0

    def look(self, loss: float, step: int) -> bool:
        """Take an evaluation's loss into account; True when it is the lowest so far. NaN never is."""
        if loss < self.lowest:
            self.lowest, self.step, self.worse = loss, step, 0
            return True
        self.worse += 1
        return False

    @property
    def is_over(self) -> bool:
        return 0 < self.most <= self.worse

    def state(self) -> dict:
        """Plain values for a checkpoint; ``most`` belongs to the config."""
        return {key: value for key, value in asdict(self).items() if key != "most"}
