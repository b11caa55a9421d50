"""Token TTS with voice prompts: (latents, raster, flow) or (RVQ codes, delay or raster, categorical or depth).

A causal transformer reads the prompt's units and then writes the target's. With hours of speech instead of thousands
of hours the alignment is given: each step is told which symbol it is in, how far along and how long that symbol
lasts. With ``alignment: attention`` the steps attend to the text instead and find their own way.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.errors import UserError
from speechgen.heads.base import HeadConfig, build_head
from speechgen.heads.flow import FlowHeadConfig
from speechgen.nn.encoders import DurationPredictor, PooledEncoder, SymbolEncoder
from speechgen.nn.transformer import Transformer, TransformerConfig
from speechgen.nn.whitening import Whitening
from speechgen.orders.base import OrderConfig, build_order, check_triple
from speechgen.orders.raster import RasterConfig

FEATURES = 3  # of a frame within its symbol: share done, frames done, log of the symbol's frames
UNKNOWN, FIRST_SYMBOL = 0, 1  # symbol numbers: what is said is not known; then the table of symbols


class TTSConfig(Config):
    """``codec`` and ``listener``: names or folders of the models it speaks and aligns through.

    ``patch``: codec frames per step. ``unit_width``: channels of a latent, ``white_width``: what is left of them after
    whitening (0: no whitening), which divides by the deviation to the ``white_power`` and drops directions of variance
    below ``white_floor``; ``codebooks``, ``codebook_size``: of codes.
    """

    kind: Literal["tts"] = "tts"
    codec: str = "speech-16k"
    listener: str = "listener-16k"
    unit: Literal["latents", "codes"] = "latents"
    order: OrderConfig = RasterConfig()
    head: HeadConfig = FlowHeadConfig()
    alignment: Literal["given", "attention"] = "given"
    text: Literal["phonemes", "characters"] = "phonemes"
    symbols: list[str] = []
    languages: list[str] = []
    frame_rate: float = 50.0
    unit_width: int = 32
    white_width: int = 0
    white_power: float = 0.5
    white_floor: float = 0.01
    codebooks: int = 8
    codebook_size: int = 1024
    patch: int = 2
    transformer: TransformerConfig = TransformerConfig()
    symbol_width: int = 192
    symbol_blocks: int = 3
    voice_blocks: int = 2
    duration_width: int = 160
    duration_blocks: int = 3
    stop_weight: float = 0.1


@dataclass
class Rows:
    """A batch for the model; B rows of S steps, each a prompt followed by a target, padded on the right.

    ``values``: units as the order arranges them, (B, S, D) float or (B, S, K) long; ``real`` (B, S, K or 1) bool.
    ``symbols`` (B, N), ``symbol_mask`` (B, N), ``target_symbols`` (B, N) bool, ``durations`` (B, N) frames.
    ``positions`` (B, S, patch): the symbol of each frame; ``features`` (B, S, patch, 3).
    ``prompt_steps``, ``steps`` (B,): how many steps are the prompt's, and how many there are in all.
    ``languages`` (B,); ``known`` (B,) bool: whether the prompt's transcript is given.
    """

    values: Tensor
    real: Tensor
    symbols: Tensor
    symbol_mask: Tensor
    target_symbols: Tensor
    durations: Tensor
    positions: Tensor
    features: Tensor
    prompt_steps: Tensor
    steps: Tensor
    languages: Tensor
    known: Tensor

    def to(self, device) -> "Rows":
        return Rows(**{name: tensor.to(device) for name, tensor in vars(self).items()})


class TokenTTS(nn.Module):
    """The parts, how they join, and the losses; drawing speech from it is ``speechgen.models.speak``."""

    def __init__(self, config: TTSConfig):
        super().__init__()
        self.config = config
        codebooks = config.codebooks * config.patch if config.unit == "codes" else 0
        check_triple(codebooks, config.order, config.head)
        if config.order.kind not in ("raster", "delay"):
            raise UserError(f"order: {config.order.kind}: this model goes from frame to frame; use raster or delay")
        self.order = build_order(config.order, codebooks, config.codebook_size)
        self.whitening = Whitening(config.unit_width, config.white_width or config.unit_width)
        self.unit_width = (config.white_width or config.unit_width) * config.patch
        width = config.transformer.width
        if config.unit == "codes":
            self.embeddings = nn.ModuleList(nn.Embedding(config.codebook_size + 1, width) for _ in range(codebooks))
        else:
            self.embed_latents = nn.Linear(self.unit_width, width)
        self.begin = nn.Parameter(torch.zeros(width))
        self.segment = nn.Embedding(2, width)
        symbols = FIRST_SYMBOL + len(config.symbols)
        self.symbol_encoder = SymbolEncoder(symbols, len(config.languages), config.symbol_width, config.symbol_blocks)
        self.no_symbol = nn.Parameter(torch.zeros(config.symbol_width))
        if config.alignment == "given":
            self.to_text = nn.Linear(config.patch * (config.symbol_width + FEATURES), width)
            sizes = (symbols, len(config.languages), width, config.duration_width, config.duration_blocks)
            self.durations = DurationPredictor(*sizes)
        else:
            self.to_memory = nn.Linear(config.symbol_width, width)
        self.voice = PooledEncoder(width, width, config.voice_blocks)
        self.no_voice = nn.Parameter(torch.zeros(width))
        self.transformer = Transformer(config.transformer)
        self.head = build_head(
            config.head, width, unit_width=self.unit_width, codebooks=codebooks, codebook_size=config.codebook_size
        )
        self.stop = nn.Linear(width, 1)

    def embed(self, values: Tensor) -> Tensor:
        """Units (..., D) float or (..., K) long to (..., width)."""
        if self.config.unit == "latents":
            return self.embed_latents(values)
        return sum(table(values[..., k]) for k, table in enumerate(self.embeddings))

    def voice_vector(self, embedded: Tensor, steps: Tensor) -> Tensor:
        """One vector (B, width) for the first ``steps`` (B,) of embedded prompts; rows without a prompt get none."""
        longest = max(1, int(steps.max()))
        mask = torch.arange(longest, device=steps.device)[None] < steps[:, None]
        pooled = self.voice(embedded[:, :longest], mask)
        return torch.where((steps > 0)[:, None], pooled, self.no_voice.to(pooled))

    def text(self, rows: Rows, null: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What the steps are told of the text: (B, S, width) to add, or a memory (B, N, width) to attend to.

        ``null`` (B,) bool: rows that are told nothing.
        """
        encoded = self.symbol_encoder(rows.symbols, rows.languages, rows.symbol_mask)
        encoded = torch.where(null[:, None, None], self.no_symbol.to(encoded), encoded)
        if self.config.alignment == "attention":
            return None, self.to_memory(encoded + _places(encoded))
        batch, steps, patch = rows.positions.shape
        index = rows.positions.reshape(batch, -1, 1).expand(-1, -1, encoded.shape[-1])
        told = encoded.gather(1, index).view(batch, steps, patch, -1)
        features = torch.where(null[:, None, None, None], 0.0, rows.features).to(told)
        return self.to_text(torch.cat([told, features], -1).flatten(2)), None

    def inputs(self, history: Tensor, told: Tensor | None, rows: Rows, voice: Tensor) -> Tensor:
        """Embedded units one step late, the text, the segment (prompt 0, target 1) and the voice: (B, S, width)."""
        begin = self.begin.to(history).expand(len(history), 1, -1)
        steps = torch.arange(rows.values.shape[1], device=history.device)
        segment = self.segment((steps[None] >= rows.prompt_steps[:, None]).long())
        x = torch.cat([begin, history[:, :-1]], dim=1) + segment + voice[:, None]
        return x if told is None else x + told

    def hidden(self, rows: Rows, history: Tensor, null: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the head sees of each step (B, S, width), the voices (B, width), and which steps there are (B, S) bool.

        ``history`` (B, S, width): the embedded units that the model reads, which training may disturb; ``null`` (B,)
        bool: rows that are told nothing.
        """
        voice = self.voice_vector(self.embed(rows.values), rows.prompt_steps)
        heard = torch.where(null[:, None], self.no_voice.to(voice), voice)
        told, memory = self.text(rows, null)
        mask = torch.arange(rows.values.shape[1], device=null.device)[None] < rows.steps[:, None]
        memory_mask = rows.symbol_mask if memory is not None else None
        return self.transformer(self.inputs(history, told, rows, heard), mask, memory, memory_mask), voice, mask

    def losses(
        self,
        rows: Rows,
        history: Tensor,
        null: Tensor,
        prompt_weight: float,
        generator: torch.Generator,
        couples: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Losses of drawing each unit, of the stop decision and of the durations, each alone; see ``hidden``.

        ``couples``: noises (B, S, D) and the units (B, S, D) to draw from them, instead of the rows' own.
        """
        z, voice, mask = self.hidden(rows, history, null)
        steps = torch.arange(rows.values.shape[1], device=null.device)[None]
        target = mask & (steps >= rows.prompt_steps[:, None])
        weights = target + prompt_weight * (mask & ~target & rows.known[:, None])
        losses = {"unit": self._unit_loss(z, rows, weights, generator, couples)}
        # The step at which the last frame begins; where an order lags, other codes of that frame come after it.
        last = rows.steps[:, None] - self.order.steps(1)
        said = self.stop(z)[..., 0].float()
        stop = F.binary_cross_entropy_with_logits(said, (steps == last).float(), reduction="none")
        deciding = target & (steps <= last)
        losses["stop"] = self.config.stop_weight * (stop * deciding).sum() / deciding.sum()
        if self.config.alignment == "given":
            losses["duration"] = self.durations.loss(
                rows.symbols, rows.languages, rows.symbol_mask & rows.target_symbols, voice.detach(), rows.durations
            )
        return losses

    def _unit_loss(
        self,
        z: Tensor,
        rows: Rows,
        weights: Tensor,
        generator: torch.Generator,
        couples: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        keep = weights.flatten() > 0
        flat, values, weights = z.flatten(0, 1)[keep], rows.values.flatten(0, 1)[keep], weights.flatten()[keep]
        if couples is not None:
            noise, units = (one.flatten(0, 1)[keep] for one in couples)
            return self.head.loss(flat, units, generator, weights, noise=noise)
        if self.config.unit == "latents":
            return self.head.loss(flat, values, generator, weights)
        return self.head.loss(flat, values, generator, weights[:, None] * rows.real.flatten(0, 1)[keep])


def _places(encoded: Tensor) -> Tensor:
    """Sinusoidal positions (S, C), so that attention can tell one symbol from its twin further on."""
    half = encoded.shape[-1] // 2
    rates = 10000.0 ** (-torch.arange(half, device=encoded.device) / half)
    angles = torch.arange(encoded.shape[1], device=encoded.device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1).to(encoded)
