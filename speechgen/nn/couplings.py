"""Invertible layers over grids (Glow, Kingma and Dhariwal 2018): what they do to volume is known exactly.

``forward`` gives what became of x (B, C, H, W) and the log of the determinant (B,); ``inverse`` goes the way back.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FlowStep(nn.Module):
    """Scale and shift of channels, a mixing of channels, an affine coupling (table 1)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))
        self.mix = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels)).Q)
        self.coupling = Coupling(channels, width)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        x = (x + self.shift) * self.log_scale.exp()
        x = torch.einsum("oc,bchw->bohw", self.mix, x)
        volume = x[0, 0].numel() * (self.log_scale.sum() + torch.linalg.slogdet(self.mix).logabsdet)
        x, own = self.coupling(x, condition)
        return x, own + volume

    def inverse(self, x: Tensor, condition: Tensor) -> Tensor:
        x = self.coupling.inverse(x, condition)
        x = torch.einsum("oc,bchw->bohw", torch.linalg.inv(self.mix), x)
        return x * (-self.log_scale).exp() - self.shift


class Coupling(nn.Module):
    """Half of the channels scales and shifts the other half (RealNVP, Dinh et al. 2017, equations 7 and 8)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.kept = channels // 2
        self.inlet = nn.Conv2d(self.kept, width, 3, padding=1)
        self.inner = nn.Conv2d(width, width, 1)
        self.outlet = nn.Conv2d(width, 2 * (channels - self.kept), 3, padding=1)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = x[:, : self.kept], x[:, self.kept :]
        scale, shift = self._say(kept, condition)
        return torch.cat([kept, (changed + shift) * scale.exp()], dim=1), scale.flatten(1).sum(1)

    def inverse(self, x: Tensor, condition: Tensor) -> Tensor:
        kept, changed = x[:, : self.kept], x[:, self.kept :]
        scale, shift = self._say(kept, condition)
        return torch.cat([kept, changed * (-scale).exp() - shift], dim=1)

    def _say(self, kept: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Logs of scales, within (-1, 1) so that no layer explodes, and shifts."""
        hidden = F.silu(self.inlet(kept) + condition[:, :, None, None])
        scale, shift = self.outlet(F.silu(self.inner(hidden))).chunk(2, dim=1)
        return scale.tanh(), shift
