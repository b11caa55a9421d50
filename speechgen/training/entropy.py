"""Fits the entropy model of a codec (``tokenizers/entropy.py``) to codes of recordings: minutes on one core.

The network is trained in floating point, with weights and activations rounded as the integer model will round them, so
that nothing is lost when ``quantise`` turns it into integers.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechgen.config import Config
from speechgen.tokenizers.entropy import EMBEDDING_SCALE, ONE, SUM, EntropyModel, softmax_table

LARGEST_SHIFT = 12
START = 0.5  # deviation of the first codebook's embeddings; sums over codebooks stay well within an activation's range


class EntropyConfig(Config):
    """``past_frames``: how far a code looks back. A step sees ``batch`` stretches of ``frames`` frames, and each
    codebook's softmax a ``share`` of them: scores of all symbols are most of the work."""

    past_frames: int = 4
    embedding: int = 96
    hidden: int = 192
    final: int = 96
    steps: int = 2000
    learning_rate: float = 4e-3
    batch: int = 24
    frames: int = 80
    share: float = 0.25
    seed: int = 0


class EntropyNetwork(nn.Module):
    """The integer model's float twin; a parameter here is an array there.

    ``vectors``: what each code adds to the codec's latents (codebooks, size, C). Embeddings that start as these know
    from the first step which codes are alike.
    """

    def __init__(self, codebooks: int, size: int, config: EntropyConfig, vectors: Tensor | None = None):
        super().__init__()
        self.config = config
        embedding, hidden, final = config.embedding, config.hidden, config.final

        def matrix(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-1, 1) * shape[-1] ** -0.5)

        def table() -> nn.Parameter:
            if vectors is None:
                return nn.Parameter(0.3 * torch.randn(codebooks, size, embedding))
            return nn.Parameter(_turned(vectors, embedding))

        self.past, self.present = table(), table()
        self.context, self.context_bias = matrix(hidden, config.past_frames * embedding), _zeros(hidden)
        self.deep, self.deep_bias = matrix(hidden, hidden), _zeros(hidden)
        self.mix, self.mix_bias = matrix(codebooks, final, hidden + embedding), _zeros(codebooks, final)
        self.out, self.out_bias = matrix(codebooks, size, final), _zeros(codebooks, size)

    def bits(self, codes: Tensor, counts: Tensor, picks: Tensor) -> Tensor:
        """Bits per code of each codebook (K,), for codes (B, K, T) whose row b has the first ``counts[b]`` codebooks.

        ``picks`` (K, N): at which of the B * T frames each codebook is asked.
        """
        _, count, frames = codes.shape
        reach, scale = self.config.past_frames, float(EMBEDDING_SCALE)
        entries = codes + self.past.shape[1] * torch.arange(count)[None, :, None]
        there = (torch.arange(count) < counts[:, None])[:, :, None, None]
        said = F.embedding(entries, _rounded(self.past).flatten(0, 1)).mul(there).sum(1)
        said = F.pad(_activate(said * scale), (0, 0, reach, 0))
        context = torch.cat([said[:, reach - 1 - d : reach - 1 - d + frames] for d in range(reach)], dim=-1)
        hidden = _activate(F.linear(context, _rounded(self.context), self.context_bias))
        hidden = _activate(hidden + F.linear(hidden, _rounded(self.deep), self.deep_bias))
        present = F.embedding(entries, _rounded(self.present).flatten(0, 1)).transpose(0, 1)  # (K, B, T, embedding)
        before = F.pad(present.cumsum(0)[:-1], (0, 0, 0, 0, 0, 0, 1, 0)).flatten(1, 2)
        before = before.gather(1, picks[..., None].expand(-1, -1, before.shape[-1]))
        x = torch.cat([hidden.flatten(0, 1)[picks], _activate(before * scale)], dim=-1)
        mixed = _activate(_per_codebook(x, _rounded(self.mix), self.mix_bias))
        scores = _per_codebook(mixed, _rounded(self.out), self.out_bias)
        wanted = codes.transpose(0, 1).flatten(1).gather(1, picks)
        return F.cross_entropy(scores.transpose(1, 2), wanted, reduction="none").mean(1) / np.log(2)


def fit_entropy(
    codes: Tensor,
    size: int,
    config: EntropyConfig = EntropyConfig(),
    on_step: Callable[[float], None] = lambda _: None,
    vectors: Tensor | None = None,
) -> EntropyModel:
    """Fit a model to codes (K, T) in [0, size), of recordings one after another; ``on_step`` hears bits per code."""
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = EntropyNetwork(len(codes), size, config, vectors)
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps + 1, pct_start=0.05, cycle_momentum=False
    )
    frames, every = min(config.frames, codes.shape[1]), torch.arange(len(codes))
    asked = max(1, round(config.share * config.batch * frames))
    for _ in range(config.steps):
        starts = torch.randint(codes.shape[1] - frames + 1, (config.batch,), generator=generator)
        batch = torch.stack([codes[:, start : start + frames] for start in starts.tolist()])
        counts = torch.randint(1, len(codes) + 1, (config.batch,), generator=generator)
        counts[::2] = len(codes)  # the last codebooks learn most slowly, and in few files of random bitrates
        there = (every[:, None] < counts).float().repeat_interleave(frames, dim=1)
        picks = torch.multinomial(there, asked, replacement=True, generator=generator)
        loss = network.bits(batch, counts, picks).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        on_step(loss.item())
    return quantise(network)


def savings(model: EntropyModel, codes: list[Tensor], size: int, block: int = 200) -> float:
    """The share of packed bytes that the model saves on recordings of codes (K, T), in blocks as a file has them."""
    blocks = [part for one in codes for part in one.split(block, dim=1)]
    packed = sum(part.numel() * (size - 1).bit_length() / 8 for part in blocks)
    return 1 - sum(len(model.compress(part.numpy())) for part in blocks) / packed


@torch.no_grad()
def quantise(network: EntropyNetwork) -> EntropyModel:
    """The integers that the network was trained to stand for."""
    arrays, shifts = {}, []
    for name in ("past", "present", "context", "deep", "mix", "out"):
        weight = getattr(network, name)
        shift = _shift(weight)
        shifts.append(shift)
        arrays[name] = (weight * 2**shift).round().clamp(-ONE, ONE).to(torch.int8).numpy()
        if name not in ("past", "present"):
            bias = getattr(network, f"{name}_bias")
            arrays[f"{name}_bias"] = (bias * ONE * 2**shift).round().clamp(1 - SUM, SUM - 1).to(torch.int32).numpy()
    return EntropyModel({**arrays, "shifts": np.array(shifts, dtype=np.int32), "table": softmax_table()})


def _shift(weight: Tensor) -> int:
    """The power of two that spreads nearly all of a weight over eight bits."""
    largest = max(1e-6, 6 * weight.detach().square().mean().sqrt().item())
    return max(0, min(LARGEST_SHIFT, int(np.floor(np.log2(ONE / largest)))))


def _rounded(weight: Tensor) -> Tensor:
    scale = 2 ** _shift(weight)
    whole = (weight.detach() * scale).round().clamp(-ONE, ONE) / scale
    return weight + (whole - weight.detach())  # straight-through


def _activate(x: Tensor) -> Tensor:
    bounded = x.clamp(-1, 1)
    return bounded + ((bounded.detach() * ONE).round() / ONE - bounded.detach())


def _per_codebook(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(K, N, in) by (K, out, in) to (K, N, out)."""
    return torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))


def _turned(vectors: Tensor, width: int) -> Tensor:
    """Vectors (K, size, C) by their main directions, turned at random so that all ``width`` numbers carry alike."""
    flat = vectors.flatten(0, 1)
    main = torch.linalg.svd(flat.T @ flat).U[:, :width]
    turn = torch.linalg.qr(torch.randn(width, main.shape[1])).Q
    turned = vectors @ main @ turn.T
    return START * turned / turned[0].std().clamp_min(1e-6)


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))
