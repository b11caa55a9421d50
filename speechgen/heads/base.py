"""What every head offers, the typed union of their configs, and how one is built."""

from typing import Annotated, Protocol

import torch
from pydantic import Field
from torch import Tensor

from speechgen.heads.categorical import CategoricalHead, CategoricalHeadConfig
from speechgen.heads.depth import DepthHead, DepthHeadConfig
from speechgen.heads.diffusion import DiffusionHead, DiffusionHeadConfig
from speechgen.heads.energy import EnergyHead, EnergyHeadConfig
from speechgen.heads.flow import FlowHead, FlowHeadConfig
from speechgen.heads.gaussian import GaussianHead, GaussianHeadConfig
from speechgen.heads.logistics import LogisticsHead, LogisticsHeadConfig
from speechgen.heads.mse import MSEHead, MSEHeadConfig
from speechgen.heads.one_step import OneStepHead, OneStepHeadConfig
from speechgen.heads.sampling import Generators

ContinuousHeadConfig = (
    FlowHeadConfig | OneStepHeadConfig | DiffusionHeadConfig | EnergyHeadConfig | GaussianHeadConfig | MSEHeadConfig
)
HeadConfig = Annotated[
    ContinuousHeadConfig | CategoricalHeadConfig | DepthHeadConfig | LogisticsHeadConfig, Field(discriminator="kind")
]
CONTINUOUS = ("flow", "one-step", "diffusion", "energy", "gaussian", "mse")  # kinds of head that draw continuous units
STEPPED = ("flow", "diffusion")  # kinds whose ``sample`` takes a number of steps, and a solver


class Head(Protocol):
    """Draws one unit from its distribution given the backbone's z.

    Positions come flattened: N of them, whatever batch and time they are from. Units are (N, D) float for continuous
    heads and (N, K) long for discrete ones. Each row may be drawn by a generator of its own. ``sample`` takes further
    options that are a head's own (steps, top_k...).
    """

    def loss(
        self, z: Tensor, target: Tensor, generator: torch.Generator | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Scalar loss of target units given z (N, C), averaged over positions by non-negative weights (N,)."""

    def sample(
        self,
        z: Tensor,
        z_null: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: Generators = None,
    ) -> Tensor:
        """Draw units for z (N, C), steered away from z_null (N, C) when guidance is not 1."""


def build_head(
    config: HeadConfig, width: int, *, unit_width: int = 0, codebooks: int = 0, codebook_size: int = 0
) -> Head:
    """The head a config names, for z of ``width`` channels.

    ``unit_width`` (D) is needed by continuous heads, ``codebooks`` (K) and ``codebook_size`` (V) by discrete ones.
    """
    match config:
        case FlowHeadConfig():
            _need(config, unit_width=unit_width)
            return FlowHead(config, width, unit_width)
        case OneStepHeadConfig():
            _need(config, unit_width=unit_width)
            return OneStepHead(config, width, unit_width)
        case DiffusionHeadConfig():
            _need(config, unit_width=unit_width)
            return DiffusionHead(config, width, unit_width)
        case EnergyHeadConfig():
            _need(config, unit_width=unit_width)
            return EnergyHead(config, width, unit_width)
        case GaussianHeadConfig():
            _need(config, unit_width=unit_width)
            return GaussianHead(config, width, unit_width)
        case MSEHeadConfig():
            _need(config, unit_width=unit_width)
            return MSEHead(config, width, unit_width)
        case CategoricalHeadConfig():
            _need(config, codebooks=codebooks, codebook_size=codebook_size)
            return CategoricalHead(config, width, codebooks, codebook_size)
        case DepthHeadConfig():
            _need(config, codebooks=codebooks, codebook_size=codebook_size)
            return DepthHead(config, width, codebooks, codebook_size)
        case LogisticsHeadConfig():
            _need(config, codebooks=codebooks, codebook_size=codebook_size)
            return LogisticsHead(config, width, codebooks, codebook_size)
    raise TypeError(f"not a head config: {config!r}")


def _need(config: HeadConfig, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"a {config.kind} head needs {name}, at least 1")
