"""Small encoders around a backbone: symbols in context, and a sequence pooled into one vector."""

import torch
from torch import Tensor, nn

from speechgen.nn.convnext import ConvNeXtStack


class SymbolEncoder(nn.Module):
    """Symbols (B, S) and a language (B,) to vectors in context (B, S, width); where the mask is False, zeros."""

    def __init__(self, symbols: int, languages: int, width: int, blocks: int, kernel: int = 5):
        super().__init__()
        self.symbol = nn.Embedding(symbols, width)
        self.language = nn.Embedding(languages, width)
        self.stack = ConvNeXtStack(width, blocks, kernel, causal=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, symbols: Tensor, languages: Tensor, mask: Tensor, extra: Tensor | None = None) -> Tensor:
        """``extra``: a vector (B, width) added to every symbol, such as a voice."""
        x = self.symbol(symbols) + self.language(languages)[:, None]
        if extra is not None:
            x = x + extra[:, None]
        keep = mask[..., None]
        x = (x * keep).transpose(1, 2)
        for block in self.stack.blocks:  # padding is silenced after each block, so that batched = single
            x = block(x) * keep.transpose(1, 2)
        return self.norm(x.transpose(1, 2)) * keep


class PooledEncoder(nn.Module):
    """A sequence (B, T, channels) to one vector (B, width): convolutions, then attentive mean and deviation
    (Okabe et al. 2018)."""

    def __init__(self, channels: int, width: int, blocks: int, kernel: int = 5):
        super().__init__()
        self.inlet = nn.Linear(channels, width)
        self.stack = ConvNeXtStack(width, blocks, kernel, causal=False)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 1)
        self.outlet = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Positions with mask (B, T) False do not count."""
        keep = mask[..., None]
        x = (self.inlet(x) * keep).transpose(1, 2)
        for block in self.stack.blocks:
            x = block(x) * keep.transpose(1, 2)
        x = self.norm(x.transpose(1, 2)).float()
        weight = self.attention(x).float().masked_fill(~keep, -1e4).softmax(1)
        mean = (weight * x).sum(1)
        deviation = ((weight * (x - mean[:, None]) ** 2).sum(1) + 1e-5).sqrt()
        return self.outlet(torch.cat([mean, deviation], -1))


class CaptionEncoder(nn.Module):
    """Words (B, W) to one vector (B, width); the number ``words`` stands where there is no word, everywhere in an empty
    caption."""

    def __init__(self, words: int, width: int, blocks: int = 1):
        super().__init__()
        self.words = words
        self.word = nn.Embedding(words + 1, width)
        self.pool = PooledEncoder(width, width, blocks, kernel=3)

    def forward(self, words: Tensor) -> Tensor:
        return self.pool(self.word(words), words != self.words)


class DurationPredictor(nn.Module):
    """How long each symbol lasts: mean and deviation of log frames, from symbols, language and voice."""

    def __init__(self, symbols: int, languages: int, voice_width: int, width: int, blocks: int):
        super().__init__()
        self.voice = nn.Linear(voice_width, width)
        self.encoder = SymbolEncoder(symbols, languages, width, blocks)
        self.outlet = nn.Linear(width, 2)

    def forward(self, symbols: Tensor, languages: Tensor, mask: Tensor, voice: Tensor) -> tuple[Tensor, Tensor]:
        """Two (B, S): the mean of log frames, and the log of its deviation, kept within [-3, 1]."""
        mean, spread = self.outlet(self.encoder(symbols, languages, mask, self.voice(voice))).float().unbind(-1)
        return mean, spread.clamp(-3.0, 1.0)

    def loss(self, symbols: Tensor, languages: Tensor, mask: Tensor, voice: Tensor, frames: Tensor) -> Tensor:
        """Gaussian negative log-likelihood of log frames (B, S), per symbol."""
        mean, spread = self(symbols, languages, mask, voice)
        error = (frames.clamp_min(0.5).log() - mean) / spread.exp()
        return ((0.5 * error**2 + spread) * mask).sum() / mask.sum()

    def frames(self, symbols: Tensor, languages: Tensor, mask: Tensor, voice: Tensor) -> Tensor:
        """Expected frames (B, S): the mean of the log-normal, without the heavy tail of unsure predictions."""
        mean, spread = self(symbols, languages, mask, voice)
        return (mean + 0.5 * (2 * spread).exp().clamp(max=0.5)).exp() * mask
