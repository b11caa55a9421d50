"""Codecs by name: sizes that are known to work well together. Their weights, where there are any, are models."""

from speechgen.errors import UserError, nearest
from speechgen.nn.seanet import SEANetConfig
from speechgen.nn.spectral import SpectralConfig
from speechgen.nn.windowed import WindowedConfig
from speechgen.tokenizers.codec import CodecConfig
from speechgen.tokenizers.euclidean import EuclideanConfig
from speechgen.tokenizers.rvq import RVQConfig

PRESETS = {
    # The default: 50 frames a second of 0.5 kbit/s per codebook, everything computed at the frame rate.
    "speech-16k": CodecConfig(
        sample_rate=16000,
        hop=320,
        width=32,
        encoder=SpectralConfig(width=256, blocks=6, window=960),
        decoder=SpectralConfig(width=312, hidden=1236, blocks=5, window=960),
        bottleneck=RVQConfig(codebooks=12, continuous=0.4),
    ),
    # The same frame rate and window in seconds, for recordings with more treble.
    "speech-24k": CodecConfig(
        sample_rate=24000,
        hop=480,
        width=32,
        encoder=SpectralConfig(width=256, blocks=6, window=1440),
        decoder=SpectralConfig(width=320, blocks=5, window=1440),
        bottleneck=RVQConfig(codebooks=12, continuous=0.4),
    ),
    # The classic convolution stack: no delay beyond one frame, and about ten times the work.
    "seanet-16k": CodecConfig(
        sample_rate=16000,
        hop=320,
        width=32,
        encoder=SEANetConfig(channels=24, strides=(2, 4, 5, 8)),
        decoder=SEANetConfig(channels=24, strides=(2, 4, 5, 8)),
        bottleneck=RVQConfig(codebooks=12, continuous=0.4),
    ),
    # For phones, browsers and quick experiments: at most 2 million parameters.
    "tiny-16k": CodecConfig(
        sample_rate=16000,
        hop=320,
        width=24,
        encoder=SpectralConfig(width=128, blocks=4, window=960),
        decoder=SpectralConfig(width=160, blocks=4, window=960),
        bottleneck=RVQConfig(codebooks=12, continuous=0.4),
    ),
}

# The published architectures of others; folders that transformers saved fill them with weights (``foreign.py``).
_CAUSAL = {"kernel": 7, "past": "mirror", "dilations": (1,), "narrow": 2}
_ENCODEC = SEANetConfig(channels=32, strides=(2, 4, 5, 8), shortcut=True, lstm=2, **_CAUSAL)
_DAC = {"strides": (2, 4, 5, 8), "residual_kernel": 7, "narrow": 1, "activation": "snake", "causal": False}
_MIMI = SEANetConfig(
    channels=64, strides=(4, 5, 6, 8), dilations=(1,), final_kernel=3, resample=2, transformer=WindowedConfig()
)
OTHERS = {
    "encodec-24k": CodecConfig(
        sample_rate=24000,
        hop=320,
        width=128,
        encoder=_ENCODEC,
        decoder=_ENCODEC,
        bottleneck=EuclideanConfig(codebooks=32),
    ),
    "dac-16k": CodecConfig(
        sample_rate=16000,
        hop=320,
        width=1024,
        encoder=SEANetConfig(channels=64, final_kernel=3, **_DAC),
        decoder=SEANetConfig(channels=96, final_tanh=True, **_DAC),
        bottleneck=RVQConfig(codebooks=12, continuous=0.0, start_step=0),
    ),
    "mimi-24k": CodecConfig(
        sample_rate=24000,
        hop=1920,
        width=512,
        encoder=_MIMI,
        decoder=_MIMI,
        bottleneck=EuclideanConfig(codebooks=32, codebook_size=2048, code_width=256, apart=1),
    ),
}


def preset(name: str) -> CodecConfig:
    """The codec config of a name; raises UserError with the nearest name for any other."""
    known = {**PRESETS, **OTHERS}
    if name not in known:
        raise UserError(f"no codec preset {name!r}{nearest(name, known)}")
    return known[name]
