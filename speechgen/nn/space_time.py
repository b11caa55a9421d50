"""A transformer whose attention is factorised over time and space (ViViT, Arnab et al. 2021, model 3).

Layers take turns: in one, the positions of a frame see each other; in the next, each place sees itself in all frames.
T frames of S positions cost T S (T + S) pairs instead of (T S)^2.
"""

from torch import Tensor, nn

from speechgen.nn.attention import rotary_tables
from speechgen.nn.transformer import Layer, TransformerConfig


class SpaceTimeTransformer(nn.Module):
    """(B, T * S, C) -> (B, T * S, C), the condition in AdaLN; all positions see each other through the layers."""

    def __init__(self, config: TransformerConfig, frames: int, each: int) -> None:
        """``frames`` of ``each`` positions; the config is of a transformer that is not causal."""
        super().__init__()
        assert not config.causal and config.condition == "adaln", "attention over all, told by AdaLN"
        self.config, self.frames, self.each = config, frames, each
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=1e-5)

    def forward(self, x: Tensor, condition: Tensor, visible: Tensor | None = None) -> Tensor:
        """x (B, T * S, C) in raster order; condition (B, condition_width). ``visible`` must be None: all of it is."""
        if visible is not None:
            raise ValueError("factorised attention has no mask over all pairs")
        x = x.unflatten(1, (self.frames, self.each))
        for index, layer in enumerate(self.layers):
            x = self._along(layer, x, condition, time=index % 2 == 1)
        return self.norm(x.flatten(1, 2))

    def _along(self, layer: Layer, x: Tensor, condition: Tensor, time: bool) -> Tensor:
        """One layer on x (B, T, S, C): attention along time or within frames."""
        x = x.transpose(1, 2) if time else x
        batch, many, length, _ = x.shape
        rotary = rotary_tables(length, self.config.head_width, self.config.rotary_base, x.device)
        modulation = tuple(part.repeat_interleave(many, 0) for part in layer.modulation(condition.unsqueeze(1)))
        attend = lambda rows: layer.attention(rows, rotary=rotary, visible=None, cache=None)  # noqa: E731
        x = layer(x.flatten(0, 1), attend, None, modulation).unflatten(0, (batch, many))
        return x.transpose(1, 2) if time else x
