"""Depth head: a small transformer over the K codebooks of one position (RQ-Transformer, Lee et al. 2022; CSM, 2025)."""

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.heads.sampling import Generators, code_loss, draw, guide
from speechgen.nn.cache import TransformerState
from speechgen.nn.transformer import Transformer, TransformerConfig, check_heads


class DepthHeadConfig(Config):
    """Shape of the transformer across codebooks. ``share``: of the positions, those that a training step asks about,
    drawn anew each time (CSM, compute amortization: 1/16)."""

    kind: Literal["depth"] = "depth"
    width: int = Field(256, gt=0)
    layers: int = Field(2, gt=0)
    heads: int = Field(4, gt=0)
    mlp_multiplier: float = Field(4.0, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    share: float = Field(1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_heads(self.width, self.heads)
        return self

    def transformer(self) -> TransformerConfig:
        return TransformerConfig(
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            mlp_multiplier=self.mlp_multiplier,
            dropout=self.dropout,
        )


class DepthHead(nn.Module):
    """Draws codes (N, K) given z (N, C), codebook by codebook, each seeing z and the codes before it."""

    def __init__(self, config: DepthHeadConfig, width: int, codebooks: int, codebook_size: int) -> None:
        super().__init__()
        self.config = config
        self.codebooks = codebooks
        self.codebook_size = codebook_size
        self.input = nn.Linear(width, config.width)
        # Book k's codes are rows k * (V + 1) and on; the last row of each book is the special token of the orders.
        self.embedding = nn.Embedding(max(codebooks - 1, 1) * (codebook_size + 1), config.width)
        self.transformer = Transformer(config.transformer())
        self.output = nn.Parameter(torch.empty(codebooks, codebook_size, config.width))
        nn.init.normal_(self.embedding.weight, std=config.width**-0.5)
        nn.init.normal_(self.output, std=config.width**-0.5)

    def logits(self, z: Tensor, codes: Tensor) -> Tensor:
        """Teacher-forced: z (N, C) and codes (N, K) -> (N, K, V); row k sees z and codes 0..k-1."""
        books = torch.arange(self.codebooks - 1, device=codes.device)
        before = self.embedding(codes[:, :-1] + books * (self.codebook_size + 1))
        h = self.transformer(torch.cat([self.input(z).unsqueeze(1), before], dim=1))
        return torch.einsum("nkc,kvc->nkv", h, self.output)

    def loss(
        self, z: Tensor, target: Tensor, generator: torch.Generator | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Cross-entropy of target (N, K) long given z (N, C), averaged by weights (N,) or (N, K), bool or not.

        Targets of weight 0 may hold the special token ``codebook_size``. The generator draws the positions that a
        training step asks about, where that is a ``share`` of them.
        """
        if self.training and self.config.share < 1:
            count = max(1, round(self.config.share * len(z)))
            asked = torch.randperm(len(z), generator=generator, device=z.device)[:count]
            z, target, weights = z[asked], target[asked], None if weights is None else weights[asked]
        return code_loss(self.logits(z, target), target, weights, self.config.label_smoothing)

    @torch.no_grad()
    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
        top_k: int | None = None,
        top_p: float | None = None,
        real: Tensor | None = None,
    ) -> Tensor:
        """Draw codes (N, K) for z (N, C); with z_null, guidance acts on the logits of every codebook.

        ``real`` (N, K) bool: where False the special token stands instead of a draw, as the delay order needs.
        """
        guided = z_null is not None and guidance != 1.0
        rows = torch.cat([z, z_null]) if guided else z
        state = self.transformer.initial_state(rows.shape[0], self.codebooks)
        x = self.input(rows).unsqueeze(1)
        drawn: list[Tensor] = []
        for book in range(self.codebooks):
            logits, state = self._step(x, state, book)
            codes = draw(guide(logits, guidance) if guided else logits, temperature, top_k, top_p, generator)
            if real is not None:
                codes = codes.masked_fill(~real[:, book], self.codebook_size)
            drawn.append(codes)
            if book + 1 < self.codebooks:
                # Both rows of a guided pair continue with the same code.
                fed = torch.cat([codes, codes]) if guided else codes
                x = self.embedding(fed + book * (self.codebook_size + 1)).unsqueeze(1)
        return torch.stack(drawn, dim=1)

    def _step(self, x: Tensor, state: TransformerState, book: int) -> tuple[Tensor, TransformerState]:
        """One codebook's logits (N, V) from its input x (N, 1, width)."""
        h, state = self.transformer.step(x, state)
        return h.squeeze(1) @ self.output[book].T, state
