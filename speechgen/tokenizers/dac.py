"""DAC (Kumar et al. 2023) in our words: its config and its weights as transformers saves them."""

from math import prod

import torch
from torch import Tensor

from speechgen.nn.seanet import SEANetConfig
from speechgen.tokenizers.codec import Codec, CodecConfig
from speechgen.tokenizers.naming import by_order
from speechgen.tokenizers.rvq import RVQConfig

FIXED: dict = {}
UNITS = [f"res_unit{unit}.{layer}" for unit in (1, 2, 3) for layer in ("snake1", "conv1", "snake2", "conv2")]


def config(values: dict) -> CodecConfig:
    """transformers' ``DacConfig``, as plain values."""
    strides = values["downsampling_ratios"]
    stack = {"strides": strides, "residual_kernel": 7, "narrow": 1, "activation": "snake", "causal": False}
    return CodecConfig(
        sample_rate=values["sampling_rate"],
        hop=prod(strides),
        width=values["encoder_hidden_size"] * 2 ** len(strides),
        encoder=SEANetConfig(channels=values["encoder_hidden_size"], final_kernel=3, **stack),
        decoder=SEANetConfig(channels=values["decoder_hidden_size"] // 2 ** len(strides), final_tanh=True, **stack),
        bottleneck=RVQConfig(
            codebooks=values["n_codebooks"],
            codebook_size=values["codebook_size"],
            code_width=values["codebook_dim"],
            continuous=0.0,
            start_step=0,
        ),
    )


def weights(theirs: dict[str, Tensor], codec: Codec) -> dict[str, Tensor]:
    """Their weights under our names."""
    blocks = range(len(codec.config.encoder.strides))
    encoder = [f"block.{b}.{layer}" for b in blocks for layer in (*UNITS, "snake1", "conv1")]
    decoder = [f"block.{b}.{layer}" for b in blocks for layer in ("snake1", "conv_t1", *UNITS)]
    found = {}
    for part, inner in (("encoder", encoder), ("decoder", decoder)):
        names = [f"{part}.{layer}" for layer in ("conv1", *inner, "snake1", "conv2")]
        found |= by_order(theirs, names, getattr(codec, part), part, {"frequency": "alpha"})
    found["bottleneck.seen"] = torch.tensor(1)  # past the start, so that training goes on from their codes
    for k in range(codec.codebooks):
        there, here = f"quantizer.quantizers.{k}", f"bottleneck.levels.{k}"
        for ours, other in (("inlet", "in_proj"), ("outlet", "out_proj")):
            for name in ("weight", "bias"):
                if f"{there}.{other}.{name}" in theirs:
                    found[f"{here}.{ours}.{name}"] = theirs[f"{there}.{other}.{name}"]
        if f"{there}.codebook.weight" in theirs:
            found[f"{here}.codes"] = theirs[f"{there}.codebook.weight"]
    return found
