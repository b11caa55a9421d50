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
CODEBOOKS_A_STEP = 3  # whose softmax is trained at a step; all of them would take several times as long


class EntropyConfig(Config):
    """``past_frames``: how far a code looks back. A step sees ``batch`` stretches of ``frames`` frames."""

    past_frames: int = 4
    embedding: int = 48
    hidden: int = 128
    final: int = 64
    steps: int = 2000
    learning_rate: float = 4e-3
    batch: int = 24
    frames: int = 80
    seed: int = 0


class EntropyNetwork(nn.Module):
    """The integer model's float twin; a parameter here is an array there."""

    def __init__(self, codebooks: int, size: int, config: EntropyConfig):
        super().__init__()
        self.config = config
        embedding, hidden, final = config.embedding, config.hidden, config.final

        def matrix(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-1, 1) * shape[-1] ** -0.5)

        self.past = nn.Parameter(0.3 * torch.randn(codebooks, size, embedding))
        self.present = nn.Parameter(0.3 * torch.randn(codebooks, size, embedding))
        self.context, self.context_bias = matrix(hidden, config.past_frames * embedding), _zeros(hidden)
        self.deep, self.deep_bias = matrix(hidden, hidden), _zeros(hidden)
        self.mix, self.mix_bias = matrix(codebooks, final, hidden + embedding), _zeros(codebooks, final)
        self.out, self.out_bias = matrix(codebooks, size, final), _zeros(codebooks, size)

    def losses(self, codes: Tensor, codebooks: list[int]) -> dict[int, Tensor]:
        """Bits per code of some of the codebooks, for codes (B, K, T)."""
        batch, count, frames = codes.shape
        reach = self.config.past_frames
        past, present = _rounded(self.past), _rounded(self.present)
        said = _activate(sum(past[k][codes[:, k]] for k in range(count)) * float(EMBEDDING_SCALE))
        said = F.pad(said, (0, 0, reach, 0))
        context = torch.cat([said[:, reach - 1 - d : reach - 1 - d + frames] for d in range(reach)], dim=-1)
        hidden = _activate(F.linear(context, _rounded(self.context), self.context_bias))
        hidden = _activate(hidden + F.linear(hidden, _rounded(self.deep), self.deep_bias))
        so_far, bits = torch.zeros_like(said[:, reach:]), {}
        mix, out = _rounded(self.mix), _rounded(self.out)
        for k in range(max(codebooks) + 1):
            if k in codebooks:
                x = torch.cat([hidden, _activate(so_far * float(EMBEDDING_SCALE))], dim=-1)
                scores = F.linear(_activate(F.linear(x, mix[k], self.mix_bias[k])), out[k], self.out_bias[k])
                bits[k] = F.cross_entropy(scores.flatten(0, 1), codes[:, k].flatten()) / np.log(2)
            so_far = so_far + present[k][codes[:, k]]
        return bits


def fit_entropy(
    codes: Tensor, size: int, config: EntropyConfig = EntropyConfig(), on_step: Callable[[float], None] = lambda _: None
) -> EntropyModel:
    """Fit a model to codes (K, T) in [0, size), of recordings one after another; ``on_step`` hears bits per code."""
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = EntropyNetwork(len(codes), size, config)
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps + 1, pct_start=0.05, cycle_momentum=False
    )
    frames = min(config.frames, codes.shape[1])
    for _ in range(config.steps):
        starts = torch.randint(codes.shape[1] - frames + 1, (config.batch,), generator=generator)
        count = int(torch.randint(1, len(codes) + 1, (1,), generator=generator))
        chosen = torch.randperm(count, generator=generator)[:CODEBOOKS_A_STEP].tolist()
        batch = torch.stack([codes[:count, start : start + frames] for start in starts.tolist()])
        loss = torch.stack(list(network.losses(batch, chosen).values())).mean()
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


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))
