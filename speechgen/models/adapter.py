"""What a TTS has learned of one voice: low-rank products to add to its matrices (LoRA; Hu et al. 2021)."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.models.tts import TokenTTS

PREFIX = "adapter."  # of its tensors in a voice file


@dataclass(frozen=True)
class Adapter:
    """``model``: fingerprint of the TTS that learned; ``products``: by the name of a linear layer, ``up`` (out, rank)
    and ``down`` (rank, in), whose product is added to its weight."""

    model: str
    products: dict[str, tuple[Tensor, Tensor]]

    def tensors(self) -> dict[str, Tensor]:
        """What a voice file holds of it, in 16 bits."""
        parts = {f"{PREFIX}{name}.{part}": pair for name, both in self.products.items() for part, pair in _named(both)}
        return {name: tensor.half().contiguous() for name, tensor in parts.items()}

    @classmethod
    def of_tensors(cls, model: str, tensors: dict[str, Tensor]) -> "Adapter":
        """The adapter that ``tensors`` made these of; raises KeyError where a half of a product is missing."""
        names = sorted({name.removeprefix(PREFIX).rpartition(".")[0] for name in tensors})
        pick = lambda name, part: tensors[f"{PREFIX}{name}.{part}"].float()  # noqa: E731
        return cls(model, {name: (pick(name, "up"), pick(name, "down")) for name in names})

    def digest(self) -> bytes:
        """Other bytes for every other adapter."""
        tensors = self.tensors()
        parts = (name.encode() + tensors[name].numpy().tobytes() for name in sorted(tensors))
        return hashlib.sha256(b"".join((self.model.encode(), *parts))).digest()

    def rounded(self) -> "Adapter":
        """As a voice file has it, so that a saved voice speaks as the one that was not."""
        return self.of_tensors(self.model, self.tensors())

    def added_to(self, tts: TokenTTS) -> TokenTTS:
        """A copy of a TTS with the products in its matrices; all other weights are shared. Sums with weights that fit
        16-bit floats are rounded to such, which are read faster (``nn.packed``).

        Raises UserError for products that are not finite, or not of these matrices' shapes.
        """
        weights = tts.state_dict()
        for name, (up, down) in self.products.items():
            weight = weights.get(f"{name}.weight")
            fits = weight is not None and up.ndim == down.ndim == 2 and up.shape[1] == down.shape[0]
            if not fits or weight.shape != (len(up), down.shape[1]):
                raise UserError(f"{name}: what this voice adds does not fit the model; adapt the voice again")
            added = weight + (up @ down).to(weight)
            weights[f"{name}.weight"] = added.half().float() if torch.equal(weight.half().float(), weight) else added
            if not weights[f"{name}.weight"].isfinite().all():
                raise UserError(f"{name}: what this voice adds is not finite; adapt the voice again")
        copy = TokenTTS(tts.config)
        copy.load_state_dict(weights, assign=True)
        return copy.eval().requires_grad_(False)


def _named(both: tuple[Tensor, Tensor]) -> list[tuple[str, Tensor]]:
    return list(zip(("up", "down"), both, strict=True))
