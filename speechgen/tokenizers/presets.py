"""Codecs by name: sizes that are known to work well together. Their weights, where there are any, are models."""

from speechgen.errors import UserError, nearest
from speechgen.nn.seanet import SEANetConfig
from speechgen.nn.spectral import SpectralConfig
from speechgen.tokenizers.codec import CodecConfig
from speechgen.tokenizers.rvq import RVQConfig

PRESETS = {
    # The default: 50 frames a second of 0.5 kbit/s per codebook, everything computed at the frame rate.
    "speech-16k": CodecConfig(
        sample_rate=16000,
        hop=320,
        width=32,
        encoder=SpectralConfig(width=256, blocks=6, window=960),
        decoder=SpectralConfig(width=312, blocks=5, window=960),
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


def preset(name: str) -> CodecConfig:
    """The codec config of a name; raises UserError with the nearest name for any other."""
    if name not in PRESETS:
        raise UserError(f"no codec preset {name!r}{nearest(name, PRESETS)}")
    return PRESETS[name]
