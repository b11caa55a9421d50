"""Samples as codes: mu-law companding (ITU-T G.711), in which a quiet sample is rounded more finely than a loud one."""

import torchaudio.functional
from torch import Tensor


class MuLaw:
    """Waves in [-1, 1] to codes 0 ... classes - 1 and back, elementwise; the code ``classes // 2`` is silence."""

    def __init__(self, classes: int = 256) -> None:
        if classes < 2:
            raise ValueError(f"mu-law needs at least 2 classes, not {classes}")
        self.classes = classes

    @property
    def silence(self) -> int:
        """The code of a sample of 0."""
        return self.classes // 2

    def encode(self, wave: Tensor) -> Tensor:
        """Float of any shape to long of the same shape; what lies outside [-1, 1] is clipped."""
        # In doubles, so that with 65536 classes a code still comes back as itself.
        return torchaudio.functional.mu_law_encoding(wave.double().clamp(-1, 1), self.classes)

    def decode(self, codes: Tensor) -> Tensor:
        """Long of any shape to float32 in [-1, 1]."""
        return torchaudio.functional.mu_law_decoding(codes.double(), self.classes).float()
