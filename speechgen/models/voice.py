"""A voice: what a TTS needs to know of a speaker, without the recording."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.models.adapter import PREFIX, Adapter

CARD = ("source", "licence", "consent", "seconds", "date")  # beside the name


@dataclass
class Voice:
    """A prompt as the model sees it.

    ``latents`` (T, C): normalised codec latents of the prompt; ``symbols`` (T,): the symbol number of each frame, or -1
    where it is not known; ``codec``: fingerprint of the codec that made them; ``facts``: the card, see ``CARD``.
    ``alphabet``: the symbols of the TTS that numbered them, in its order, so that another TTS can translate; empty
    where no symbol is known. ``adapter``: what a TTS has learned of the voice, for that TTS alone.
    """

    latents: Tensor
    symbols: Tensor
    language: str
    codec: str
    facts: dict[str, str] = field(default_factory=dict)
    alphabet: list[str] = field(default_factory=list)
    adapter: Adapter | None = None

    def card(self) -> list[str]:
        """What is known of where it comes from and who agreed, in words."""
        words = {"consent": "consent: {}", "seconds": "{} s", "date": "made {}"}
        said = [words.get(key, "{}").format(self.facts[key]) for key in CARD if self.facts.get(key)]
        return said if self.adapter is None else [*said, "adapted"]

    def digest(self) -> bytes:
        """Other bytes for every voice that is spoken in otherwise."""
        parts = [self.latents.numpy().tobytes(), self.symbols.numpy().tobytes()]
        return hashlib.sha256(b"".join([*parts, self.adapter.digest() if self.adapter else b""])).digest()

    def save(self, path: str | Path) -> None:
        """Write a ``.voice`` file (safetensors: numbers and strings only)."""
        metadata = {"language": self.language, "codec": self.codec, "alphabet": json.dumps(self.alphabet)}
        metadata |= {f"fact.{key}": value for key, value in self.facts.items()}
        if self.adapter is not None:
            metadata["adapter"] = self.adapter.model
        tensors = {"latents": self.latents.half().contiguous(), "symbols": self.symbols.to(torch.int16).contiguous()}
        tensors |= {} if self.adapter is None else self.adapter.tensors()
        path = Path(path)
        partial = path.with_name(f".{path.name}.partial")
        safetensors.torch.save_file(tensors, partial, metadata=metadata)
        partial.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> "Voice":
        """Read a voice file; raises UserError for a missing, damaged or foreign one."""
        try:
            with safetensors.safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                latents, symbols = file.get_tensor("latents").float(), file.get_tensor("symbols").long()
                added = {key: file.get_tensor(key) for key in file.keys() if key.startswith(PREFIX)}  # noqa: SIM118
            facts = {key.removeprefix("fact."): value for key, value in metadata.items() if key.startswith("fact.")}
            alphabet = [str(symbol) for symbol in json.loads(metadata.get("alphabet", "[]"))]
            adapter = Adapter.of_tensors(metadata["adapter"], added) if added else None
            voice = cls(latents, symbols, metadata["language"], metadata["codec"], facts, alphabet, adapter)
        except FileNotFoundError:
            raise UserError(f"{path}: no such voice file") from None
        except Exception as error:
            raise UserError(f"{path}: not a voice file of ours ({' '.join(str(error).split())[:80]})") from None
        if latents.ndim != 2 or symbols.shape != latents.shape[:1]:
            raise UserError(f"{path}: latents {tuple(latents.shape)} and symbols {tuple(symbols.shape)} do not match")
        if not len(latents) or not latents.isfinite().all():
            raise UserError(
                f"{path}: its latents are {'not finite' if len(latents) else 'none'}; export the voice again"
            )
        return voice
