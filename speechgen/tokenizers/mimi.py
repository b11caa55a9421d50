"""Mimi (Défossez et al. 2024) in our words: its config and its weights as transformers saves them."""

from math import prod

import torch
from torch import Tensor

from speechgen.nn.seanet import SEANetConfig
from speechgen.nn.windowed import WindowedConfig
from speechgen.tokenizers.codec import Codec, CodecConfig
from speechgen.tokenizers.euclidean import EuclideanConfig
from speechgen.tokenizers.naming import by_order, layers, natural

FIXED = {
    "audio_channels": 1, "use_causal_conv": True, "trim_right_ratio": 1.0, "pad_mode": "constant",
    "hidden_act": "gelu", "attention_bias": False, "norm_eps": 1e-5,
}  # fmt: skip
RESAMPLE = 2  # the stride behind the encoder's transformer
# Ours and theirs, of a transformer's layer.
LAYER = {
    "attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm",
    "queries": "self_attn.q_proj", "keys": "self_attn.k_proj", "values": "self_attn.v_proj",
    "output": "self_attn.o_proj", "up": "mlp.fc1", "down": "mlp.fc2",
}  # fmt: skip
SCALES = {"attention_scale": "self_attn_layer_scale.scale", "mlp_scale": "mlp_layer_scale.scale"}


def config(values: dict) -> CodecConfig:
    """transformers' ``MimiConfig``, as plain values."""
    stack = SEANetConfig(
        channels=values["num_filters"],
        strides=values["upsampling_ratios"][::-1],
        dilations=[values["dilation_growth_rate"] ** n for n in range(values["num_residual_layers"])],
        kernel=values["kernel_size"],
        final_kernel=values["last_kernel_size"],
        residual_kernel=values["residual_kernel_size"],
        narrow=values["compress"],
        shortcut=values["use_conv_shortcut"],
        resample=RESAMPLE,
        transformer=WindowedConfig(
            layers=values["num_hidden_layers"],
            heads=values["num_attention_heads"],
            mlp_width=values["intermediate_size"],
            window=values["sliding_window"],
            rotary_base=(values.get("rope_parameters") or {}).get("rope_theta", values.get("rope_theta", 10_000.0)),
        ),
    )
    return CodecConfig(
        sample_rate=values["sampling_rate"],
        hop=prod(values["upsampling_ratios"]) * RESAMPLE,
        width=values["hidden_size"],
        encoder=stack,
        decoder=stack,
        bottleneck=EuclideanConfig(
            codebooks=values["num_quantizers"],
            codebook_size=values["codebook_size"],
            code_width=values["vector_quantization_hidden_dimension"],
            apart=values["num_semantic_quantizers"],
        ),
    )


def weights(theirs: dict[str, Tensor], codec: Codec) -> dict[str, Tensor]:
    """Their weights under our names."""
    found = {}
    for part, resampling in (("encoder", "downsample.conv"), ("decoder", "upsample.conv")):
        stack = getattr(codec, part)
        place = next(i for i, layer in enumerate(stack) if hasattr(layer, "layers"))
        for n in range(len(stack[place].layers)):
            there, here = f"{part}_transformer.layers.{n}", f"{part}.{place}.layers.{n}"
            for ours, other in LAYER.items():
                for name in ("weight", "bias"):
                    if f"{there}.{other}.{name}" in theirs:
                        found[f"{here}.{ours}.{name}"] = theirs[f"{there}.{other}.{name}"]
            for ours, other in SCALES.items():
                if f"{there}.{other}" in theirs:
                    found[f"{here}.{ours}"] = theirs[f"{there}.{other}"]
        # The convolutions lie in the same order, with the resampling one next to the frames.
        names = layers(theirs, f"{part}.layers.")
        names = [*names, resampling] if part == "encoder" else [resampling, *names]
        found |= by_order(theirs, names, _without(stack, place), part)
    for group, kind in enumerate(("semantic", "acoustic")):
        there, here = f"quantizer.{kind}_residual_vector_quantizer", f"bottleneck.groups.{group}"
        for ours, other in (("inlet", "input_proj"), ("outlet", "output_proj")):
            if f"{there}.{other}.weight" in theirs:
                found[f"{here}.{ours}.weight"] = theirs[f"{there}.{other}.weight"]
        sums = [name for name in theirs if name.startswith(there) and name.endswith(".embed_sum")]
        stems = [name.removesuffix(".embed_sum") for name in sorted(sums, key=natural)]
        if stems:
            books = [theirs[f"{s}.embed_sum"] / theirs[f"{s}.cluster_usage"].clamp_min(1e-5)[:, None] for s in stems]
            found[f"{here}.codes"] = torch.stack(books)
    return found


def _without(stack: torch.nn.Sequential, place: int) -> torch.nn.ModuleDict:
    """A stack's layers but one, under their own names."""
    return torch.nn.ModuleDict({str(i): layer for i, layer in enumerate(stack) if i != place})
