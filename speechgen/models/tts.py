"""Token TTS with voice prompts: (latents, raster, flow) or (RVQ codes, delay or raster, categorical or depth).

A causal transformer reads the prompt's units and then writes the target's. With hours of speech instead of thousands
of hours the alignment is given: each step is told which symbol it is in, how far along and how long that symbol
lasts. With ``alignment: attention`` the steps attend to the text instead and find their own way.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.errors import UserError
from speechgen.heads.base import build_head
from speechgen.models.rows import Rows
from speechgen.models.tts_config import FEATURES, FIRST_SYMBOL, TTSConfig
from speechgen.nn.attention import sinusoids
from speechgen.nn.encoders import DurationPredictor, PooledEncoder, SymbolEncoder
from speechgen.nn.transformer import Transformer
from speechgen.nn.whitening import Whitening
from speechgen.orders.base import build_order, check_triple

Couples = tuple[Tensor, Tensor]  # noises (B, S, D) and the units (B, S, D) to draw from them


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
        units = {"unit_width": self.unit_width, "codebooks": codebooks, "codebook_size": config.codebook_size}
        self.head = build_head(config.head, width, **units)
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
            return None, self.to_memory(encoded + sinusoids(encoded))
        batch, steps, patch = rows.positions.shape
        index = rows.positions.reshape(batch, -1, 1).expand(-1, -1, encoded.shape[-1])
        told = encoded.gather(1, index).view(batch, steps, patch, -1)
        features = torch.where(null[:, None, None, None], 0.0, rows.features).to(told)
        return self.to_text(torch.cat([told, features], -1).flatten(2)), None

    def inputs(self, history: Tensor, told: Tensor | None, rows: Rows, voice: Tensor, null: Tensor) -> Tensor:
        """Embedded units one step late, the text, the segment (prompt 0, target 1) and the voice: (B, S, width). Null
        rows (B,) bool hear nothing of the prompt, so that guidance leads to its voice as well as to the text."""
        begin = self.begin.to(history).expand(len(history), 1, -1)
        history = history.masked_fill((null[:, None] & ~rows.of_target)[..., None], 0.0)
        heard = torch.where(null[:, None], self.no_voice.to(voice), voice)
        x = torch.cat([begin, history[:, :-1]], dim=1) + self.segment(rows.of_target.long()) + heard[:, None]
        return x if told is None else x + told

    def hidden(self, rows: Rows, history: Tensor, null: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the head sees of each step (B, S, width), the voices (B, width), and which steps there are (B, S) bool.

        ``history`` (B, S, width): the embedded units that the model reads, which training may disturb; ``null`` (B,)
        bool: rows that are told nothing.
        """
        voice = self.voice_vector(self.embed(rows.values), rows.prompt_steps)
        told, memory = self.text(rows, null)
        mask = torch.arange(rows.values.shape[1], device=null.device)[None] < rows.steps[:, None]
        memory_mask = rows.symbol_mask if memory is not None else None
        return self.transformer(self.inputs(history, told, rows, voice, null), mask, memory, memory_mask), voice, mask

    def losses(
        self,
        rows: Rows,
        history: Tensor,
        null: Tensor,
        prompt_weight: float,
        generator: torch.Generator,
        couples: Couples | None = None,
    ) -> dict[str, Tensor]:
        """Losses of drawing each unit, of the stop decision and of the durations, each alone; see ``hidden``.
        ``couples``: what to draw instead of the rows' own units."""
        z, voice, mask = self.hidden(rows, history, null)
        steps = torch.arange(rows.values.shape[1], device=null.device)[None]
        target = mask & rows.of_target
        weights = target + prompt_weight * (mask & ~target & (rows.known & ~null)[:, None])
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
        self, z: Tensor, rows: Rows, weights: Tensor, generator: torch.Generator, couples: Couples | None
    ) -> Tensor:
        keep = weights.flatten() > 0
        flat, values, weights = z.flatten(0, 1)[keep], rows.values.flatten(0, 1)[keep], weights.flatten()[keep]
        if couples is not None:
            noise, units = (one.flatten(0, 1)[keep] for one in couples)
            return self.head.loss(flat, units, generator, weights, noise=noise)
        if self.config.unit == "latents":
            return self.head.loss(flat, values, generator, weights)
        return self.head.loss(flat, values, generator, weights[:, None] * rows.real.flatten(0, 1)[keep])
