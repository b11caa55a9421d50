"""EnCodec (Défossez et al. 2022) in our words: its config and its weights as transformers saves them."""

from math import ceil, log2, prod

import torch
from torch import Tensor

from speechgen.nn.seanet import SEANetConfig
from speechgen.tokenizers.codec import Codec, CodecConfig
from speechgen.tokenizers.euclidean import EuclideanConfig
from speechgen.tokenizers.naming import by_order, layers, natural

# The model of 24 kHz is causal, mono and weight-normalised; that of 48 kHz is another one.
FIXED = {
    "audio_channels": 1, "normalize": False, "chunk_length_s": None, "norm_type": "weight_norm",
    "use_causal_conv": True, "trim_right_ratio": 1.0, "pad_mode": "reflect",
}  # fmt: skip


def config(values: dict) -> CodecConfig:
    """transformers' ``EncodecConfig``, as plain values."""
    hop = prod(values["upsampling_ratios"])
    bits = ceil(values["sampling_rate"] / hop) * ceil(log2(values["codebook_size"]))  # per second and codebook
    stack = SEANetConfig(
        channels=values["num_filters"],
        strides=values["upsampling_ratios"][::-1],
        dilations=[values["dilation_growth_rate"] ** n for n in range(values["num_residual_layers"])],
        kernel=values["kernel_size"],
        final_kernel=values["last_kernel_size"],
        residual_kernel=values["residual_kernel_size"],
        narrow=values["compress"],
        shortcut=values["use_conv_shortcut"],
        lstm=values["num_lstm_layers"],
        past="mirror",
    )
    books = int(1000 * values["target_bandwidths"][-1] // bits)
    return CodecConfig(
        sample_rate=values["sampling_rate"],
        hop=hop,
        width=values["hidden_size"],
        encoder=stack,
        decoder=stack,
        bottleneck=EuclideanConfig(codebooks=books, codebook_size=values["codebook_size"]),
    )


def weights(theirs: dict[str, Tensor], codec: Codec) -> dict[str, Tensor]:
    """Their weights under our names."""
    found = {}
    for part in ("encoder", "decoder"):
        found |= by_order(theirs, layers(theirs, f"{part}.layers."), getattr(codec, part), part)
    books = sorted((name for name in theirs if name.endswith("codebook.embed")), key=natural)
    if books:
        found["bottleneck.groups.0.codes"] = torch.stack([theirs[name] for name in books])
    return found
