"""Frechet distances by a network that the user brings as a TorchScript file: of images the Inception that FID is
customarily computed with, or what else maps signals to features. Nothing is fetched."""

from pathlib import Path

import torch
from torch import Tensor

from speechgen.audio.resample import resample
from speechgen.errors import UserError
from speechgen.evaluation.distances import frechet_distance

AT_ONCE = 32  # signals that the network is given together
SAMPLE_RATE = 16000  # Hz, of the sounds that it is given
ASKED = ("return_features", "rescale", "resize")  # keywords of customary networks, set to True where forward has them
TAKES = {
    "images": "uint8 images (N, 3, H, W)",
    "clips": "uint8 clips (N, 3, T, H, W)",
    "sounds": "float waves (N, T) at 16 kHz",
}


class FeatureFile:
    """A network of a file. It is given ``what``: images or clips in uint8, in three channels (grey ones three times
    the same) and in their own size, or waves in [-1, 1]; it returns features (N, D), of sounds (N, frames, D), too."""

    def __init__(self, path: Path, what: str) -> None:
        """Raises UserError for a file that is no TorchScript."""
        self.path, self.what = path, what
        try:
            self.network = torch.jit.load(str(path), map_location="cpu").eval()
            named = {argument.name for argument in self.network.forward.schema.arguments}
        except (AttributeError, OSError, RuntimeError, ValueError):
            raise UserError(
                f"{path}: no TorchScript file of a network; torch.jit.script(network).save(...) writes one"
            ) from None
        self.options = {name: True for name in ASKED if name in named}

    @torch.no_grad()
    def features(self, signals: Tensor, sample_rate: int = SAMPLE_RATE) -> Tensor:
        """Of signals (N, C, ...) in [-1, 1] the observations (M, D) of a Frechet distance: one for each signal, or one
        for each frame of each sound. Raises UserError for a network that takes or returns anything else."""
        return torch.cat([self._some(part, sample_rate) for part in signals.split(AT_ONCE)])

    def add_distances(
        self, report: dict, systems: dict[str, tuple[Tensor, Tensor]], reference: Tensor, sample_rate: int = SAMPLE_RATE
    ) -> None:
        """Write into each of a report's rows the distance of that system's signals from the reference's, and the
        file's name beside them."""
        real = self.features(reference, sample_rate)
        if len(real) < 2:
            raise UserError(f"{self.path}: from one signal no distance can be measured; hold out more")
        for row in report["judged"]:
            row["frechet_by_file"] = frechet_distance(self.features(systems[row["name"]][0], sample_rate), real)
        report["features"] = self.path.name

    def _some(self, signals: Tensor, sample_rate: int) -> Tensor:
        if self.what == "sounds":
            given = resample(signals[:, 0], sample_rate, SAMPLE_RATE).clamp(-1, 1)
        else:
            given = ((signals + 1) * 127.5).round().clamp(0, 255).byte()
            given = given.expand(-1, 3, *given.shape[2:]) if given.shape[1] == 1 else given
        try:
            found = self.network(given, **self.options)
        except (RuntimeError, TypeError) as error:
            *_, last = str(error).strip().splitlines()
            raise UserError(f"{self.path}: does not take {TAKES[self.what]}: {last}") from None
        shapes = (2, 3) if self.what == "sounds" else (2,)
        if not isinstance(found, Tensor) or found.dim() not in shapes or len(found) != len(given):
            shape = f"a tensor of {tuple(found.shape)}" if isinstance(found, Tensor) else "no tensor"
            wanted = "(N, D) or (N, frames, D)" if self.what == "sounds" else "(N, D)"
            raise UserError(f"{self.path}: returns {shape} for {len(given)} {self.what}, not features {wanted}")
        found = found.flatten(0, -2).float()
        if not found.isfinite().all():
            raise UserError(f"{self.path}: returns numbers that are not finite")
        return found
